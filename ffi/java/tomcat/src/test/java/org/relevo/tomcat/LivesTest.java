package org.relevo.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

import jakarta.servlet.http.HttpSessionBindingEvent;
import jakarta.servlet.http.HttpSessionBindingListener;
import jakarta.servlet.http.HttpSessionEvent;
import jakarta.servlet.http.HttpSessionListener;

import org.apache.catalina.core.StandardContext;
import org.apache.catalina.session.StandardManager;
import org.apache.catalina.session.StandardSession;
import org.junit.jupiter.api.Test;
import org.relevo.Event;

/** Concurrent events in the life of a session. */
class LivesTest extends PairOfTomcats {

    private RelevoSession newSession() {
        RelevoSession session = (RelevoSession) one.manager().createSession(null);
        commit(one, session);
        return session;
    }

    private void setAt(TestTomcat tomcat, RelevoSession session, String name, Object value) {
        RelevoSession there = at(tomcat, session);
        there.setAttribute(name, value);
        commit(tomcat, there);
    }

    // ------------------------------------------------------------- Overlapping requests

    @Test
    void aCommitDoesNotWriteOverWhatItHasNotSeen() {
        RelevoSession session = newSession();
        session.setAttribute("mine", 1);
        network.meanwhile = () -> setAt(two, session, "theirs", 2);
        commit(one, session);
        assertEquals(2, at(one, session).getAttribute("theirs"), "seen by the next request");
        assertEquals(1, at(two, session).getAttribute("mine"));
    }

    @Test
    void ownCountsAreNeverTakenBackWhileOthersRead() throws Exception {
        RelevoSession session = newSession();
        String id = session.getIdInternal();
        AtomicBoolean running = new AtomicBoolean(true);
        ExecutorService threads = Executors.newFixedThreadPool(6);
        List<Future<String>> counting = new ArrayList<>();
        Future<?> reading = threads.submit(() -> {
            while (running.get()) {
                at(two, id).getAttribute("n0");
            }
        });
        for (int client = 0; client < 4; client++) {
            String name = "n" + client;
            counting.add(threads.submit((Callable<String>) () -> count(id, name, 3_000)));
        }
        for (Future<String> each : counting) {
            assertEquals("3000", each.get(60, TimeUnit.SECONDS));
        }
        running.set(false);
        reading.get();
        threads.shutdown();
    }

    private String count(String id, String name, int most) {
        for (int last = 0; last < most; last++) {
            RelevoSession session = at(one, id);
            Integer before = (Integer) session.getAttribute(name);
            if (last != (before == null ? 0 : before)) {
                return last + " came back as " + before;
            }
            session.setAttribute(name, last + 1);
            commit(one, session);
        }
        return String.valueOf(most);
    }

    @Test
    void aRequestBesideALoginEndsNothing() throws Exception {
        RelevoSession session = newSession();
        String old = session.getIdInternal();
        List<RelevoSession> found = Collections.synchronizedList(new ArrayList<>());
        Thread request = new Thread(() -> found.add(at(one, old)));
        network.meanwhile = request::start;
        String id = one.manager().rotateSessionId(session);
        request.join();
        session.setAttribute("user", "anna");
        commit(one, session);
        assertTrue(session.isValid());
        assertNull(found.get(0), "the old id is dead, or was not yet");
        assertSame(session, at(one, id));
        assertEquals("anna", at(two, id).getAttribute("user"));
    }

    @Test
    void whatIsRemovedStaysRemovedBesideASetElsewhere() {
        RelevoSession session = newSession();
        session.setAttribute("gone", 1);
        session.setAttribute("left", 1);
        commit(one, session);
        session.removeAttribute("gone");
        network.meanwhile = () -> setAt(two, session, "left", 2);
        commit(one, session);
        assertNull(at(two, session).getAttribute("gone"));
        assertEquals(2, at(one, session).getAttribute("left"));
    }

    @Test
    void aLimitThatWasSetStaysWhenContentsArrive() {
        RelevoSession session = newSession();
        session.setMaxInactiveInterval(77);
        at(two, session);
        assertEquals(77, at(one, session).getMaxInactiveInterval());
        commit(one, session);
        assertEquals(77, at(two, session).getMaxInactiveInterval());
    }

    @Test
    void valuesThatNobodyElseChangedStayTheSameObjects() {
        RelevoSession session = newSession();
        ArrayList<String> cart = new ArrayList<>(List.of("x"));
        session.setAttribute("cart", cart);
        commit(one, session);
        setAt(two, session, "other", 1);
        assertSame(cart, at(one, session).getAttribute("cart"));
        setAt(two, session, "cart", new ArrayList<>(List.of("y")));
        assertEquals(List.of("y"), at(one, session).getAttribute("cart"));
    }

    // ------------------------------------------------------------- Ends

    /** Counts how often it was unbound, and looks at the session as Tomcat's WebSockets do. */
    private static final class Socket implements HttpSessionBindingListener, java.io.Serializable {
        private static final long serialVersionUID = 1L;
        private transient int closed;

        @Override
        public void valueUnbound(HttpSessionBindingEvent event) {
            try {
                event.getSession().getCreationTime();
            } catch (IllegalStateException e) {
                closed++;
            }
        }
    }

    @Test
    void anObjectThatMovedAwayLearnsOfTheEnd() throws Exception {
        RelevoSession held = newSession();
        Socket socket = new Socket();
        held.setAttribute("socket", socket);
        commit(one, held);
        RelevoSession there = at(two, held);
        one.manager().movedAway(held.key());
        assertEquals(0, one.manager().getActiveSessions());
        there.invalidate();
        for (int i = 0; i < 1_000 && socket.closed == 0; i++) {
            Thread.sleep(50);
        }
        assertEquals(1, socket.closed);
        assertThrows(IllegalStateException.class, () -> held.getSession().setAttribute("a", 1));
        assertNull(at(one, held.getIdInternal()));
    }

    @Test
    void anEndThatWasNotToldIsAskedFor() {
        RelevoSession held = newSession();
        held.setAttribute("a", 1);
        commit(one, held);
        at(two, held).invalidate();
        held.setAttribute("late", 1);
        commit(one, held);
        assertFalse(held.isValid());
    }

    @Test
    void whatIsUsedElsewhereDoesNotExpireHere() throws Exception {
        List<String> destroyed = Collections.synchronizedList(new ArrayList<>());
        ((StandardContext) one.context).addApplicationLifecycleListener(new HttpSessionListener() {
            @Override
            public void sessionDestroyed(HttpSessionEvent event) {
                destroyed.add(event.getSession().getId());
            }
        });
        RelevoSession session = newSession();
        idle(session);
        // It looks like its own until the very moment of its end.
        RelevoSession there = at(two, session);
        there.setAttribute("a", 1);
        commit(two, there);
        one.manager().processExpires();
        assertEquals(List.of(), destroyed);
        assertNotNull(at(two, session));
    }

    /** Idle for longer than it may, by the clock of uses. */
    private static void idle(RelevoSession session) throws Exception {
        for (String name : List.of("thisAccessedNanos", "lastAccessedNanos")) {
            Field field = RelevoSession.class.getDeclaredField(name);
            field.setAccessible(true);
            field.setLong(session, System.nanoTime() - TimeUnit.SECONDS.toNanos(session.getMaxInactiveInterval() + 1L));
        }
    }

    @Test
    void aClockThatIsSetEndsNoSession() throws Exception {
        RelevoSession session = newSession();
        for (String name : List.of("thisAccessedTime", "lastAccessedTime")) {
            Field field = StandardSession.class.getDeclaredField(name);
            field.setAccessible(true);
            field.setLong(session, System.currentTimeMillis() - TimeUnit.DAYS.toMillis(1));
        }
        one.manager().processExpires();
        assertTrue(session.isValid());
        idle(session);
        one.manager().processExpires();
        assertFalse(session.isValid());
    }

    @Test
    void everyIdHasARoute() throws Exception {
        List<String> destroyed = Collections.synchronizedList(new ArrayList<>());
        ((StandardContext) two.context).addApplicationLifecycleListener(new HttpSessionListener() {
            @Override
            public void sessionDestroyed(HttpSessionEvent event) {
                destroyed.add(event.getSession().getId());
            }
        });
        RelevoSession session = newSession();
        network.record(session.key()).usedAt -= 1_000L * session.getMaxInactiveInterval();
        two.cluster.node.tell(Event.of(Event.Kind.EXPIRED, session.key()));
        for (int i = 0; i < 1_000 && destroyed.isEmpty(); i++) {
            Thread.sleep(50);
        }
        assertEquals(List.of(session.key().id() + ".tomcat2"), destroyed);
    }

    @Test
    void anExpiryThatCameTooLateEndsNothing() throws Exception {
        RelevoSession session = newSession();
        two.manager().expiredHere(session.key());
        assertTrue(at(one, session).isValid());
    }

    @Test
    void contextsThatAreNotReplicatedAreNamedOnce() throws Exception {
        try (LogCapture log = new LogCapture()) {
            StandardContext local = (StandardContext) one.tomcat().addContext("/local", null);
            StandardContext own = (StandardContext) one.tomcat().addContext("/own", null);
            own.stop();
            own.setDistributable(true);
            own.setManager(new StandardManager());
            own.start();
            one.cluster.backgroundProcess();
            one.cluster.backgroundProcess();
            new StandardContext().setCluster(new RelevoCluster());
            assertEquals(3, log.lines().size(), log.lines().toString());
            assertTrue(log.lines().get(0).contains(local.getName()) || log.lines().get(1).contains(local.getName()));
            String lines = log.lines().toString();
            assertTrue(lines.contains("\"/own\"") && lines.contains("StandardManager") && lines.contains("<distributable/>")
                    && lines.contains("Cluster in context"), lines);
        }
    }
}
