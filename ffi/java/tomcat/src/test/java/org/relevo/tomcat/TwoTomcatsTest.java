package org.relevo.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.http.HttpResponse;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import jakarta.servlet.AsyncContext;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpSession;

import org.apache.catalina.Valve;
import org.apache.catalina.authenticator.AuthenticatorBase;
import org.junit.jupiter.api.Test;
import org.relevo.SessionKey;

/** Requests to two Tomcats that share a fake cluster. */
class TwoTomcatsTest extends PairOfTomcats {

    @Override
    String answer(HttpServletRequest request, HttpServletResponse response) throws Exception {
        switch (request.getPathInfo()) {
            case "/none":
                return "none";
            case "/count":
                return count(request.getSession());
            case "/read":
                return String.valueOf(request.getSession().getAttribute("n"));
            case "/peek":
                return String.valueOf(request.getSession(false));
            case "/login":
                return request.changeSessionId();
            case "/end":
                request.getSession().invalidate();
                return "ended";
            case "/original":
                return String.valueOf(
                        request.getAttribute("org.apache.catalina.ha.session.JvmRouteOriginalSessionID"));
            case "/async":
                return later(request.startAsync());
            default:
                throw new IllegalArgumentException(request.getPathInfo());
        }
    }

    private static String count(HttpSession session) {
        Integer n = (Integer) session.getAttribute("n");
        session.setAttribute("n", n == null ? 1 : n + 1);
        return String.valueOf(session.getAttribute("n"));
    }

    private static String later(AsyncContext context) {
        context.start(() -> {
            count(((HttpServletRequest) context.getRequest()).getSession());
            context.complete();
        });
        return null;
    }

    private static SessionKey key(String id) {
        return new SessionKey("localhost#", Route.key(id));
    }

    @Test
    void aSessionGoesOnAtTheOtherNodeUnderItsRoute() throws Exception {
        HttpResponse<String> first = one.get("/count", null);
        String id = TestTomcat.cookie(first);
        assertTrue(id.endsWith(".tomcat1"), id);

        HttpResponse<String> second = two.get("/count", id);
        assertEquals("2", second.body());
        String moved = Route.key(id) + ".tomcat2";
        assertEquals(moved, TestTomcat.cookie(second));

        HttpResponse<String> third = two.get("/count", moved);
        assertEquals("3", third.body());
        assertNull(TestTomcat.cookie(third));
    }

    @Test
    void theOldIdIsInARequestAttribute() throws Exception {
        String id = TestTomcat.cookie(one.get("/count", null));
        assertEquals(id, two.get("/original", id).body());
        assertEquals("null", two.get("/original", Route.key(id) + ".tomcat2").body());
    }

    @Test
    void anotherRouteIsNoRename() throws Exception {
        String id = TestTomcat.cookie(one.get("/count", null));
        network.takeCalls();
        two.get("/count", id);
        assertEquals(List.of("two fetch " + Route.key(id) + " tomcat1", "two commit " + Route.key(id) + " [a:n]"),
                network.takeCalls());
    }

    @Test
    void aNewIdRenamesTheRecord() throws Exception {
        String id = TestTomcat.cookie(one.get("/count", null));
        network.takeCalls();
        String changed = TestTomcat.cookie(one.get("/login", id));
        assertNotEquals(Route.key(id), Route.key(changed));
        assertEquals("one rename " + Route.key(id) + " " + Route.key(changed), network.takeCalls().get(0));
        assertEquals("2", two.get("/count", changed).body());
        assertEquals("null", two.get("/peek", id).body());
    }

    @Test
    void aNewIdBeforeTheFirstCommitRenamesNothing() throws Exception {
        // getSession and changeSessionId in one request.
        String id = TestTomcat.cookie(one.get("/count", null));
        network.takeCalls();
        RelevoSession session = (RelevoSession) one.manager().createSession(null);
        one.manager().rotateSessionId(session);
        assertEquals(List.of(), network.takeCalls());
        assertNotNull(id);
    }

    @Test
    void readingSendsNothingButATouch() throws Exception {
        String id = TestTomcat.cookie(one.get("/count", null));
        network.takeCalls();
        assertEquals("1", one.get("/read", id).body());
        assertEquals(List.of("one touch " + Route.key(id)), network.takeCalls());
    }

    @Test
    void aRequestThatDoesNotUseItsSessionDoesNotMoveIt() throws Exception {
        String id = TestTomcat.cookie(one.get("/count", null));
        network.takeCalls();
        // Tomcat's authenticators look at the session of every request.
        for (Valve valve : two.context.getPipeline().getValves()) {
            if (valve instanceof AuthenticatorBase) {
                two.context.getPipeline().removeValve(valve);
            }
        }
        two.get("/none", Route.key(id) + ".tomcat2");
        assertEquals(List.of(), network.takeCalls());
    }

    @Test
    void aSessionThatCameBackHasWhatTheOtherNodeDid() throws Exception {
        String id = TestTomcat.cookie(one.get("/count", null));
        two.get("/count", id);
        assertEquals("2", one.get("/read", id).body());
        assertEquals("3", one.get("/count", id).body());
    }

    @Test
    void anObjectIsOutdatedWhenItsSessionWasAwayUnseen() throws Exception {
        String id = TestTomcat.cookie(one.get("/count", null));
        RelevoSession held = (RelevoSession) one.manager().findSession(id);
        two.get("/count", id);
        // A request that was under way all the time commits late.
        held.setAttribute("late", "x");
        one.manager().requestCompleted(held);
        assertEquals("2", one.get("/read", id).body());
        assertEquals("x", held.getAttribute("late"));
    }

    @Test
    void anEndIsAnEndEverywhere() throws Exception {
        String id = TestTomcat.cookie(one.get("/count", null));
        two.get("/count", id);
        network.takeCalls();
        two.get("/end", Route.key(id) + ".tomcat2");
        assertEquals(List.of("two invalidate " + Route.key(id)), network.takeCalls());
        assertEquals("null", one.get("/peek", id).body());
    }

    @Test
    void anEndElsewhereDropsTheObjectWithoutBeingAsked() throws Exception {
        String id = TestTomcat.cookie(one.get("/count", null));
        RelevoSession held = (RelevoSession) one.manager().findSession(id);
        network.open("three").invalidate(key(id));
        for (int i = 0; i < 1_000 && held.isAlive(); i++) {
            Thread.sleep(50);
        }
        assertFalse(held.isAlive());
        assertEquals(0, one.manager().getActiveSessions());
        assertFalse(network.takeCalls().contains("one invalidate " + Route.key(id)));
    }

    @Test
    void aSessionThatCanNotBeHadRefusesNoRequest() throws Exception {
        String id = TestTomcat.cookie(one.get("/count", null));
        network.broken = key(id);
        HttpResponse<String> response = two.get("/none", id);
        assertEquals(200, response.statusCode());
        assertEquals("none", response.body());
    }

    @Test
    void whatAnAsynchronousRequestChangesIsCommitted() throws Exception {
        String id = TestTomcat.cookie(one.get("/count", null));
        one.get("/async", id);
        CountDownLatch never = new CountDownLatch(1);
        for (int i = 0; i < 1_000 && !"2".equals(valueOf(id)); i++) {
            never.await(50, TimeUnit.MILLISECONDS);
        }
        assertEquals("2", valueOf(id));
    }

    private String valueOf(String id) throws Exception {
        AttributeCodec codec = new AttributeCodec(one.context, new ObjectFilter(null));
        return String.valueOf(codec.read(network.record(key(id)).attributes.get("a:n")));
    }

    @Test
    void stoppingLeavesTheSessions() throws Exception {
        String id = TestTomcat.cookie(one.get("/count", null));
        one.context.stop();
        assertEquals("2", two.get("/count", id).body());
        one.context.start();
        assertEquals(2, ((RelevoSession) one.manager().findSession(id)).getAttribute("n"));
    }

    @Test
    void stoppingEndsTheSessionsIfTold() throws Exception {
        String id = TestTomcat.cookie(one.get("/count", null));
        one.manager().setExpireSessionsOnShutdown(true);
        one.context.stop();
        assertEquals("null", two.get("/peek", id).body());
    }

    @Test
    void theFilterNamesRequestsThatDoNotWait() throws Exception {
        ((ReplicationValve) one.cluster.getValves()[1]).setFilter(".*count");
        String id = TestTomcat.cookie(one.get("/count", null));
        for (int i = 0; i < 1_000 && network.record(key(id)) == null; i++) {
            Thread.sleep(50);
        }
        assertNotNull(network.record(key(id)), "committed after the response");
    }
}
