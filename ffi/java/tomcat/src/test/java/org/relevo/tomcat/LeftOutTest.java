package org.relevo.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;

import javax.naming.Reference;

import org.junit.jupiter.api.Test;

/** A value that can't be replicated is left out alone, and stays on its node. */
class LeftOutTest extends PairOfTomcats {

    LeftOutTest() {
        network.maxValue = 10_000;
        network.maxSession = 15_000;
    }

    /** Fails in a way that no catch of exceptions sees. */
    private static final class Erring implements Serializable {
        private static final long serialVersionUID = 1L;

        private void writeObject(ObjectOutputStream out) {
            throw new AssertionError("not me");
        }
    }

    private static List<Object> holding(Object value) {
        return new ArrayList<>(List.of(value));
    }

    /** Each is lost to the others, told once by its name, and kept here over a stay elsewhere. */
    @Test
    void eachCostsItselfAlone() throws Exception {
        List<Object> values = List.of(new byte[20_000], holding(new Object()), new Erring(),
                holding(new Reference("class")));
        for (Object value : values) {
            costsItselfAlone("bad", value);
        }
        costsItselfAlone("n".repeat(300), "x");
    }

    private void costsItselfAlone(String name, Object value) throws Exception {
        RelevoSession session = (RelevoSession) one.manager().createSession(null);
        try (LogCapture log = new LogCapture()) {
            session.setAttribute("a", 1);
            session.setAttribute(name, value);
            commit(one, session);
            session.setAttribute("a", 2);
            commit(one, session);
            assertEquals(1, log.lines().size(), log.lines().toString());
            assertTrue(log.lines().get(0).contains("attribute " + name.substring(0, 3)), log.lines().get(0));
        }
        RelevoSession there = at(two, session);
        assertEquals(2, there.getAttribute("a"));
        assertNull(there.getAttribute(name));
        there.setAttribute("b", 3);
        commit(two, there);
        one.manager().movedAway(session.key());
        RelevoSession back = at(one, session);
        assertSame(value, back.getAttribute(name));
        assertEquals(3, back.getAttribute("b"));
    }

    @Test
    void sizeAndCureAreTold() throws Exception {
        RelevoSession session = (RelevoSession) one.manager().createSession(null);
        try (LogCapture log = new LogCapture()) {
            for (int i = 0; i < 3; i++) {
                session.setAttribute("big", new byte[20_000 + i]);
                commit(one, session);
            }
            assertEquals(1, log.lines().size(), log.lines().toString());
            String line = log.lines().get(0);
            assertTrue(line.contains("attribute big") && line.contains("20027 bytes") && line.contains("maxValue (10000)"), line);
        }
        session.setAttribute("big", "small again");
        commit(one, session);
        assertEquals("small again", at(two, session).getAttribute("big"));
        assertEquals(3, one.manager().getLeftOutAttributes());
    }

    @Test
    void theLargestIsLeftOutOfASessionThatIsTooLarge() throws Exception {
        RelevoSession session = (RelevoSession) one.manager().createSession(null);
        session.setAttribute("large", new byte[8_000]);
        session.setAttribute("larger", new byte[9_000]);
        session.setAttribute("a", 1);
        commit(one, session);
        RelevoSession there = at(two, session);
        assertEquals(1, there.getAttribute("a"));
        assertEquals(8_000, ((byte[]) there.getAttribute("large")).length);
        assertNull(there.getAttribute("larger"));
        assertEquals(9_000, ((byte[]) at(one, session).getAttribute("larger")).length);
    }

    @Test
    void whatIsSetElsewhereIsNewer() throws Exception {
        RelevoSession session = (RelevoSession) one.manager().createSession(null);
        session.setAttribute("bad", holding(new Object()));
        session.setAttribute("worse", holding(new Object()));
        commit(one, session);
        RelevoSession there = at(two, session);
        there.setAttribute("bad", "good");
        there.removeAttribute("worse");
        commit(two, there);
        RelevoSession back = at(one, session);
        assertEquals("good", back.getAttribute("bad"));
        assertNull(back.getAttribute("worse"));
    }
}
