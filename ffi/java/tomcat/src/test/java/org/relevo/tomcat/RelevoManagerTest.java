package org.relevo.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;

import javax.naming.Reference;

import jakarta.servlet.http.HttpSessionActivationListener;
import jakarta.servlet.http.HttpSessionEvent;
import jakarta.servlet.http.HttpSessionListener;

import org.apache.catalina.authenticator.Constants;
import org.apache.catalina.core.StandardContext;
import org.apache.catalina.realm.GenericPrincipal;
import org.junit.jupiter.api.Test;
import org.relevo.Event;
import org.relevo.SessionKey;

/** Two managers that share a fake cluster, without requests. */
class RelevoManagerTest extends PairOfTomcats {

    /** Counts its readings. */
    private static final class Counted implements Serializable, HttpSessionActivationListener {
        private static final long serialVersionUID = 1L;
        static final AtomicInteger READ = new AtomicInteger();
        static final AtomicInteger ACTIVATED = new AtomicInteger();

        private void readObject(ObjectInputStream in) throws IOException, ClassNotFoundException {
            in.defaultReadObject();
            READ.incrementAndGet();
        }

        @Override
        public void sessionDidActivate(HttpSessionEvent event) {
            ACTIVATED.incrementAndGet();
        }
    }

    /** Is in the stream under another name. */
    private static final class Vanishing implements Serializable {
        private static final long serialVersionUID = 1L;
    }

    private RelevoSession newSession(TestTomcat tomcat) {
        return (RelevoSession) tomcat.manager().createSession(null);
    }

    private RelevoSession committed(TestTomcat tomcat, RelevoSession session) {
        tomcat.manager().requestCompleted(session);
        return session;
    }

    private RelevoSession movedTo(TestTomcat tomcat, RelevoSession session) throws Exception {
        RelevoSession moved = (RelevoSession) tomcat.manager().findSession(session.getIdInternal());
        assertNotNull(moved);
        return moved;
    }

    @Test
    void attributesStayBytesUntilAskedFor() throws Exception {
        RelevoSession session = newSession(one);
        session.setAttribute("counted", new Counted());
        session.setAttribute("other", "text");
        committed(one, session);
        Counted.READ.set(0);
        Counted.ACTIVATED.set(0);

        RelevoSession moved = movedTo(two, session);
        assertEquals("text", moved.getAttribute("other"));
        assertEquals(0, Counted.READ.get());
        Object value = moved.getAttribute("counted");
        assertSame(value, moved.getAttribute("counted"));
        assertEquals(1, Counted.READ.get());
        assertEquals(1, Counted.ACTIVATED.get());
    }

    @Test
    void onlyWhatChangedIsSent() throws Exception {
        RelevoSession session = newSession(one);
        session.setAttribute("a", 1);
        session.setAttribute("b", 2);
        committed(one, session);
        session.setAttribute("b", 3);
        session.removeAttribute("a");
        committed(one, session);
        Collections.sort(network.lastChanges);
        assertEquals(List.of("a:a", "a:b"), network.lastChanges);
        session.setNew(false);
        network.takeCalls();
        committed(one, session);
        assertEquals(List.of("one touch " + session.key().id()), network.takeCalls());
        assertNull(movedTo(two, session).getAttribute("a"));
    }

    @Test
    void aClassThatIsNotThereCostsOneAttribute() throws Exception {
        RelevoSession session = newSession(one);
        session.setAttribute("good", "value");
        committed(one, session);
        network.record(session.key()).attributes.put("a:bad", vanished());
        network.record(session.key()).attributes.put("a:broken", new byte[] { (byte) 0xac, (byte) 0xed, 0, 5, 1 });

        try (LogCapture log = new LogCapture()) {
            RelevoSession moved = movedTo(two, session);
            assertNull(moved.getAttribute("bad"));
            assertNull(moved.getAttribute("broken"));
            assertEquals("value", moved.getAttribute("good"));
            assertEquals(List.of("good"), Collections.list(moved.getAttributeNames()));
            String line = log.lines().get(0);
            String id = session.getIdInternal();
            assertTrue(line.contains("attribute bad") && line.contains("RelevoManagerTest$Vanished_")
                    && line.contains(id.substring(0, 6)), line);
            assertFalse(line.contains(Route.key(id)), "an id is a password: " + line);
            assertEquals(2, log.lines().size(), log.lines().toString());
            assertEquals(2, two.manager().getDroppedAttributes());
        }
        // The bytes are still there, for a node that has the class.
        assertNotNull(network.record(session.key()).attributes.get("a:bad"));
    }

    @Test
    void aRefusedClassCostsOneAttributeAndOneLine() throws Exception {
        Reference gadget = new Reference("class");
        try (LogCapture log = new LogCapture()) {
            for (int i = 0; i < 3; i++) {
                RelevoSession session = newSession(one);
                session.setAttribute("gadget", new ArrayList<>(List.of(gadget)));
                session.setAttribute("good", "value");
                session.setPrincipal(new GenericPrincipal("anna", List.of("admin")));
                committed(one, session);
                RelevoSession moved = movedTo(two, session);
                assertNull(moved.getAttribute("gadget"));
                assertEquals("value", moved.getAttribute("good"));
                assertEquals("anna", moved.getPrincipal().getName());
                assertEquals(List.of("good"), Collections.list(moved.getAttributeNames()));
            }
            assertEquals(2, log.lines().size(), log.lines().toString());
            String told = log.lines().get(0);
            assertTrue(told.contains("attribute gadget will be refused by other nodes: class javax.naming.Reference;")
                    && told.contains("objectFilter"), told);
            String refused = log.lines().get(1);
            assertTrue(refused.contains("attribute gadget is refused here: class javax.naming.Reference, 2 deep;")
                    && refused.contains("objectFilter"), refused);
        }
        assertEquals(3, two.manager().getRefusedAttributes());
        assertEquals(3, two.cluster.getRefusedAttributes());
        assertEquals(0, two.manager().getDroppedAttributes());
    }

    @Test
    void aRefusedPrincipalIsNobody() throws Exception {
        RelevoSession session = newSession(one);
        session.setAttribute("good", "value");
        committed(one, session);
        byte[] bytes = new AttributeCodec(one.context, new ObjectFilter("javax.naming.*"))
                .write(new Reference("class"), type -> { });
        network.record(session.key()).attributes.put(SessionState.PRINCIPAL, bytes);
        RelevoSession moved = movedTo(two, session);
        assertNull(moved.getPrincipal());
        assertEquals("value", moved.getAttribute("good"));
    }

    /** Only somebody with the key could send this: values of a class that doesn't belong there. */
    @Test
    void stateOfAWrongKindIsNoState() throws Exception {
        RelevoSession session = newSession(one);
        session.setAttribute("good", "value");
        committed(one, session);
        AttributeCodec codec = new AttributeCodec(one.context, new ObjectFilter(null));
        for (String name : List.of(SessionState.PRINCIPAL, SessionState.AUTH_TYPE, SessionState.LISTENERS,
                SessionState.CREATED, "m:unknown", "m:note:", "odd", "o", "a:")) {
            network.record(session.key()).attributes.put(name, codec.write(new ArrayList<>(List.of("x")), type -> { }));
        }
        RelevoSession moved = movedTo(two, session);
        assertNull(moved.getPrincipal());
        assertNull(moved.getAuthType());
        assertEquals("value", moved.getAttribute("good"));
        moved.expire();
    }

    private static byte[] vanished() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(new Vanishing());
        }
        String text = new String(bytes.toByteArray(), StandardCharsets.ISO_8859_1);
        return text.replace("Vanishing", "Vanished_").getBytes(StandardCharsets.ISO_8859_1);
    }

    @Test
    void aValueThatCanNotBeSerializedCostsOneAttribute() throws Exception {
        RelevoSession session = newSession(one);
        ArrayList<Object> list = new ArrayList<>();
        list.add(new Object());
        session.setAttribute("bad", list);
        session.setAttribute("good", 1L);
        try (LogCapture log = new LogCapture()) {
            committed(one, session);
            session.setAttribute("bad", list);
            committed(one, session);
            assertEquals(1, log.lines().size(), "once, not after every request");
            assertTrue(log.lines().get(0).contains("attribute bad is not replicated: class java.util.ArrayList"),
                    log.lines().get(0));
        }
        assertEquals(1L, movedTo(two, session).getAttribute("good"));
        assertThrows(IllegalArgumentException.class, () -> session.setAttribute("object", new Object()));
    }

    @Test
    void filtersAreHonoured() throws Exception {
        one.manager().setSessionAttributeNameFilter("keep.*");
        one.manager().setSessionAttributeValueClassNameFilter("java\\.lang\\.String");
        RelevoSession session = newSession(one);
        session.setAttribute("keep", "x");
        session.setAttribute("keepNumber", 1);
        session.setAttribute("local", "y");
        committed(one, session);
        RelevoSession moved = movedTo(two, session);
        assertEquals(List.of("keep"), Collections.list(moved.getAttributeNames()));
        // Replaced by a value that doesn't travel: the old one must not come back.
        RelevoSession back = movedTo(one, session);
        back.setAttribute("keep", 5);
        committed(one, back);
        assertNull(movedTo(two, session).getAttribute("keep"));
    }

    @Test
    void whoIsLoggedInTravels() throws Exception {
        RelevoSession session = newSession(one);
        session.setPrincipal(new GenericPrincipal("anna", List.of("admin")));
        session.setAuthType("FORM");
        session.setNote(Constants.SESSION_ID_NOTE, session.getIdInternal());
        session.setNote(Constants.SESS_PASSWORD_NOTE, "secret");
        session.setMaxInactiveInterval(77);
        committed(one, session);
        RelevoSession moved = movedTo(two, session);
        assertEquals("anna", moved.getPrincipal().getName());
        assertTrue(((GenericPrincipal) moved.getPrincipal()).hasRole("admin"));
        assertEquals("FORM", moved.getAuthType());
        assertEquals(session.getIdInternal(), moved.getNote(Constants.SESSION_ID_NOTE));
        assertNull(moved.getNote(Constants.SESS_PASSWORD_NOTE));
        assertEquals(77, moved.getMaxInactiveInterval());
        assertEquals(session.getCreationTime(), moved.getCreationTime());
        assertFalse(moved.isNew());

        moved.setPrincipal(null);
        moved.setAuthType(null);
        committed(two, moved);
        RelevoSession back = movedTo(one, session);
        assertNull(back.getPrincipal());
        assertNull(back.getAuthType());
    }

    @Test
    void onlyTheNodeThatServesASessionExpiresIt() throws Exception {
        List<String> destroyed = Collections.synchronizedList(new ArrayList<>());
        listen(one, "one", destroyed);
        listen(two, "two", destroyed);
        RelevoSession session = newSession(one);
        session.setMaxInactiveInterval(1);
        committed(one, session);
        RelevoSession moved = movedTo(two, session);
        moved.access();
        Thread.sleep(1100);

        assertFalse(session.isValid(), "idle, as far as node one knows");
        assertEquals(List.of(), destroyed);
        one.manager().processExpires();
        assertEquals(0, one.manager().getActiveSessions());
        assertEquals(List.of(), destroyed);
        assertNotNull(network.record(session.key()));

        two.manager().processExpires();
        assertEquals(List.of("two"), destroyed);
        assertEquals(0, two.manager().getActiveSessions());
        assertEquals(1, two.manager().getExpiredSessions());
        assertNull(network.record(session.key()));
    }

    @Test
    void anEventThatFailsLeavesTheOthers() throws Exception {
        RelevoSession broken = committed(one, newSession(one));
        RelevoSession ended = committed(two, newSession(two));
        network.broken = broken.key();
        two.cluster.node.tell(Event.of(Event.Kind.EXPIRED, broken.key()));
        one.cluster.node.invalidate(ended.key());
        for (int i = 0; i < 1_000 && two.manager().getActiveSessions() > 0; i++) {
            Thread.sleep(50);
        }
        assertEquals(0, two.manager().getActiveSessions());
    }

    @Test
    void whatCanNotBeReadIsSaidOnce() throws Exception {
        try (LogCapture log = new LogCapture()) {
            for (int i = 0; i < 5; i++) {
                RelevoSession session = committed(one, newSession(one));
                network.record(session.key()).attributes.put("a:bad", vanished());
                assertNull(movedTo(two, session).getAttribute("bad"));
            }
            assertEquals(1, log.lines().size(), log.lines().toString());
            assertEquals(5, two.manager().getDroppedAttributes());
        }
    }

    @Test
    void aLongRequestCommitsAllAtOnceAndWhatComesWithoutOneIsNotForgotten() throws Exception {
        RelevoSession session = committed(one, newSession(one));
        session.access();
        session.setAttribute("half", 1);
        session.setCreationTime(System.currentTimeMillis() - 60_000);
        network.takeCalls();
        one.manager().backgroundProcess();
        assertEquals(List.of(), network.takeCalls());
        session.setAttribute("whole", 2);
        session.endAccess();
        assertEquals(List.of("one commit " + session.key().id() + " [a:half, a:whole, m:created]"), sorted());

        session.setAttribute("later", 3);
        session.setCreationTime(System.currentTimeMillis() - 60_000);
        one.manager().backgroundProcess();
        assertEquals(List.of("one commit " + session.key().id() + " [a:later, m:created]"), sorted());
    }

    /** The calls, and the names that the commit changed in their order. */
    private List<String> sorted() {
        List<String> names = new ArrayList<>(network.lastChanges);
        Collections.sort(names);
        return network.takeCalls().stream().map(call -> call.replace(network.lastChanges.toString(), names.toString()))
                .collect(Collectors.toList());
    }

    @Test
    void aRequestThatOutlastsItsApplicationIsCommitted() throws Exception {
        RelevoSession session = committed(one, newSession(one));
        RelevoManager manager = one.manager();
        one.context.stop();
        session.setAttribute("late", "x");
        manager.requestCompleted(session);
        assertEquals("x", movedTo(two, session).getAttribute("late"));
        one.context.start();
    }

    @Test
    void aSessionOfADeadNodeEndsHere() throws Exception {
        List<String> destroyed = Collections.synchronizedList(new ArrayList<>());
        listen(two, "two", destroyed);
        RelevoSession session = newSession(one);
        session.setAttribute("a", "last contents");
        committed(one, session);
        network.record(session.key()).usedAt -= 1_000L * session.getMaxInactiveInterval();
        two.cluster.node.tell(Event.of(Event.Kind.EXPIRED, session.key()));
        for (int i = 0; i < 1_000 && network.record(session.key()) != null; i++) {
            Thread.sleep(50);
        }
        assertNull(network.record(session.key()));
        assertEquals(List.of("two"), destroyed);
    }

    private static void listen(TestTomcat tomcat, String name, List<String> destroyed) {
        ((StandardContext) tomcat.context).addApplicationLifecycleListener(new HttpSessionListener() {
            @Override
            public void sessionDestroyed(HttpSessionEvent event) {
                destroyed.add(name);
            }
        });
    }

    @Test
    void idsOfAnyKindFindNothingOrASession() throws Exception {
        assertNull(one.manager().findSession(null));
        assertNull(one.manager().findSession(""));
        assertNull(one.manager().findSession(".tomcat1"));
        assertNull(one.manager().findSession("x".repeat(1000)));
        assertNull(one.manager().findSession("unknown.tomcat9"));
        RelevoSession session = (RelevoSession) one.manager().createSession("x".repeat(1000));
        assertEquals(32, Route.key(session.getIdInternal()).length());
        assertSame(session, one.manager().findSession(Route.key(session.getIdInternal())));
    }

    @Test
    void aSessionThatNeverWasCommittedEndsSilently() throws Exception {
        RelevoSession session = newSession(one);
        network.takeCalls();
        session.expire();
        committed(one, session);
        assertEquals(List.of(), network.takeCalls());
    }

    @Test
    void aClosedNodeLeavesItsSessionsInMemory() throws Exception {
        RelevoSession session = newSession(one);
        session.setAttribute("a", 1);
        committed(one, session);
        one.cluster.node.close();
        try (LogCapture log = new LogCapture()) {
            assertSame(session, one.manager().findSession(session.getIdInternal()));
            session.setAttribute("a", 2);
            committed(one, session);
            assertEquals(2, session.getAttribute("a"));
            assertEquals(1, log.lines().size(), "one line, not one a request: " + log.lines());
        }
    }

    @Test
    void aLateCommitOfAnOldObjectIsSeen() throws Exception {
        RelevoSession old = committed(one, newSession(one));
        movedTo(two, old);
        one.manager().movedAway(old.key());
        RelevoSession fresh = movedTo(one, old);
        assertSame(old, fresh);
        old.setAttribute("late", "x");
        committed(one, old);
        assertEquals("x", movedTo(one, old).getAttribute("late"));
    }

    @Test
    void concurrentCommitsEndWithTheLastValue() throws Exception {
        RelevoSession session = newSession(one);
        ExecutorService threads = Executors.newFixedThreadPool(8);
        for (int i = 0; i < 2_000; i++) {
            threads.execute(() -> {
                synchronized (session) {
                    Integer n = (Integer) session.getAttribute("n");
                    session.setAttribute("n", n == null ? 1 : n + 1);
                }
                one.manager().requestCompleted(session);
            });
        }
        threads.shutdown();
        assertTrue(threads.awaitTermination(30, TimeUnit.SECONDS));
        assertEquals(2_000, session.getAttribute("n"));
        assertEquals(2_000, movedTo(two, session).getAttribute("n"));
    }

    @Test
    void concurrentRequestsGetOneObject() throws Exception {
        RelevoSession session = committed(one, newSession(one));
        network.takeCalls();
        Set<Object> found = ConcurrentHashMap.newKeySet();
        ExecutorService threads = Executors.newFixedThreadPool(8);
        for (int i = 0; i < 50; i++) {
            threads.submit(() -> found.add(two.manager().findSession(session.getIdInternal())));
        }
        threads.shutdown();
        assertTrue(threads.awaitTermination(30, TimeUnit.SECONDS));
        assertEquals(1, found.size());
        assertEquals(List.of("two fetch " + session.key().id() + " tomcat1"), network.takeCalls());
    }

    @Test
    void namespacesFit() {
        assertEquals("localhost#", one.manager().getName());
        assertEquals(new SessionKey("localhost#", "6B94"), one.manager().keyOf("6B94.tomcat1"));
    }
}
