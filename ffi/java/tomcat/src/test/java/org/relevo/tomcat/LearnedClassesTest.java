package org.relevo.tomcat;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;

import org.apache.catalina.startup.Catalina;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.relevo.SessionKey;
import org.relevo.tomcat.Forgery.Bomb;
import org.relevo.tomcat.Forgery.HandlingBomb;

/** Classes of libraries in two Tomcats that were started by Tomcat's script, as far as the filter sees. */
class LearnedClassesTest {

    private static final String VALUE = "org.example.lib.Money";
    private static final String HANDLER = "org.example.lib.Handler";
    private static final String GADGET = "org.apache.commons.collections.functors.InvokerTransformer";
    private static final SessionKey RECORD = new SessionKey("relevo:classes", "localhost#");

    private final FakeNetwork network = new FakeNetwork();
    private TestTomcat one;
    private TestTomcat two;

    @BeforeEach
    void start() throws Exception {
        one = tomcat("one");
        two = tomcat("two");
    }

    private TestTomcat tomcat(String name) throws Exception {
        TestTomcat tomcat = new TestTomcat(new TestCluster(network, name), name, (request, response) -> "");
        tomcat.setCatalina(new Catalina());
        Forgery.addLibrary(tomcat.context.getDocBase(), "value.jar", Bomb.class, VALUE);
        Forgery.addLibrary(tomcat.context.getDocBase(), "gadget.jar", Bomb.class, GADGET);
        Forgery.addLibrary(tomcat.context.getDocBase(), "handler.jar", HandlingBomb.class, HANDLER);
        return tomcat.start();
    }

    @AfterEach
    void stop() throws Exception {
        one.close();
        two.close();
    }

    private static Object valueOf(TestTomcat tomcat, String name) throws Exception {
        return tomcat.context.getLoader().getClassLoader().loadClass(name).getConstructor().newInstance();
    }

    private RelevoSession committed(TestTomcat tomcat, String attribute, Object value) {
        RelevoSession session = (RelevoSession) tomcat.manager().createSession(null);
        session.setAttribute(attribute, value);
        tomcat.manager().requestCompleted(session);
        return session;
    }

    private Object readAt(TestTomcat tomcat, RelevoSession session, String attribute) throws Exception {
        return ((RelevoSession) tomcat.manager().findSession(session.getIdInternal())).getAttribute(attribute);
    }

    @Test
    void aNodeThatNeverWroteAValueReadsIt() throws Exception {
        RelevoSession session = committed(one, "price", new ArrayList<>(List.of(valueOf(one, VALUE))));
        assertEquals(List.of(VALUE), List.copyOf(network.record(RECORD).attributes.keySet()));
        List<?> read = (List<?>) readAt(two, session, "price");
        assertEquals(VALUE, read.get(0).getClass().getName());
    }

    @Test
    void theNameIsThereBeforeTheValue() throws Exception {
        network.takeCalls();
        RelevoSession session = committed(one, "price", valueOf(one, VALUE));
        List<String> calls = network.takeCalls();
        int name = calls.indexOf("one commit " + RECORD.id() + " [" + VALUE + "]");
        assertTrue(name >= 0 && calls.get(calls.size() - 1).startsWith("one commit " + session.key().id()),
                calls.toString());
        committed(one, "price", valueOf(one, VALUE));
        assertEquals(1, network.takeCalls().size(), "a name is written once");
    }

    @Test
    void namesThatTwoNodesLearnAreKeptOfBoth() throws Exception {
        committed(one, "price", valueOf(one, VALUE));
        LearnedClasses three = new LearnedClasses(RECORD.id(), () -> new Replicator(network.open("three"),
                org.relevo.Ack.ALL));
        assertTrue(three.learn("org.example.lib.Other"));
        assertTrue(three.contains(VALUE));
        assertEquals(List.of(VALUE, "org.example.lib.Other"), List.copyOf(network.record(RECORD).attributes.keySet()));
    }

    @Test
    void whatNobodyWroteIsRefusedAndItsBytesTravelOn() throws Exception {
        System.clearProperty(Forgery.PROPERTY);
        RelevoSession session = committed(one, "good", "value");
        byte[] bytes = Forgery.renamed(Forgery.stream(new Bomb()), Bomb.class.getName(), VALUE);
        network.record(session.key()).attributes.put("a:price", bytes);
        RelevoSession moved = (RelevoSession) two.manager().findSession(session.getIdInternal());
        try (LogCapture log = new LogCapture()) {
            assertNull(moved.getAttribute("price"));
            assertNull(moved.getAttribute("price"));
            assertEquals(1, log.lines().size());
            assertTrue(log.lines().get(0).endsWith("class " + VALUE + ", 1 deep; if the application needs it, set on the"
                    + " Cluster of every node: objectFilter=\"" + VALUE + "\""), log.lines().get(0));
        }
        assertNull(System.getProperty(Forgery.PROPERTY));
        moved.setAttribute("good", "other");
        moved.changeAll();
        two.manager().requestCompleted(moved);
        assertArrayEquals(bytes, network.record(session.key()).attributes.get("a:price"));
    }

    @Test
    void aRefusedValueCanBeReplacedAndRemoved() throws Exception {
        RelevoSession session = committed(one, "good", "value");
        byte[] bytes = Forgery.renamed(Forgery.stream(new Bomb()), Bomb.class.getName(), VALUE);
        network.record(session.key()).attributes.put("a:price", bytes);
        network.record(session.key()).attributes.put("a:other", bytes);
        RelevoSession moved = (RelevoSession) two.manager().findSession(session.getIdInternal());
        moved.setAttribute("price", 7);
        moved.removeAttribute("other");
        two.manager().requestCompleted(moved);
        assertEquals(7, readAt(one, session, "price"));
        assertNull(network.record(session.key()).attributes.get("a:other"));
    }

    /** An attacker who has the key can write names into the record. */
    @Test
    void gadgetsAreRefusedWhateverTheRecordSays() throws Exception {
        System.clearProperty(Forgery.PROPERTY);
        RelevoSession session = committed(one, "price", valueOf(one, VALUE));
        network.record(RECORD).attributes.put(GADGET, new byte[1]);
        network.record(RECORD).attributes.put(HANDLER, new byte[1]);
        network.record(RECORD).attributes.put("org.opentest4j.AssertionFailedError", new byte[1]);
        for (String name : List.of(GADGET, HANDLER)) {
            byte[] bytes = Forgery.stream(name.equals(HANDLER) ? new HandlingBomb() : new Bomb());
            String before = name.equals(HANDLER) ? HandlingBomb.class.getName() : Bomb.class.getName();
            network.record(session.key()).attributes.put("a:x", Forgery.renamed(bytes, before, name));
            assertNull(readAt(two, session, "x"));
            assertNull(System.getProperty(Forgery.PROPERTY), name);
            one.manager().findSession(session.getIdInternal());
        }
        // Not of the application's own loader.
        network.record(session.key()).attributes.put("a:x", Forgery.stream(new org.opentest4j.AssertionFailedError("x")));
        assertNull(readAt(two, session, "x"));
        // The record was read all the same.
        assertNotNull(readAt(two, session, "price"));
    }

    @Test
    void namesStayOnTheirNodeWhereTheSettingSaysSo() throws Exception {
        two.close();
        two = new TestTomcat(new TestCluster(network, "two"), "two", (request, response) -> "");
        two.cluster.setLearn("local");
        two.setCatalina(new Catalina());
        Forgery.addLibrary(two.context.getDocBase(), "value.jar", Bomb.class, VALUE);
        two.start();
        RelevoSession session = committed(one, "price", valueOf(one, VALUE));
        assertNull(readAt(two, session, "price"));
        RelevoSession own = committed(two, "price", valueOf(two, VALUE));
        readAt(one, own, "price");
        assertNotNull(readAt(two, own, "price"));
    }
}
