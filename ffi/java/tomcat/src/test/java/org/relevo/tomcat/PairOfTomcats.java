package org.relevo.tomcat;

import java.io.IOException;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** Two Tomcats that share a fake cluster, started for each test. */
abstract class PairOfTomcats {

    final FakeNetwork network = new FakeNetwork();
    TestTomcat one;
    TestTomcat two;

    @BeforeEach
    void start() throws Exception {
        one = new TestTomcat(new TestCluster(network, "one"), "tomcat1", this::answer).start();
        two = new TestTomcat(new TestCluster(network, "two"), "tomcat2", this::answer).start();
    }

    @AfterEach
    void stop() throws Exception {
        one.close();
        two.close();
    }

    /** The answer of both Tomcats to a request. */
    String answer(HttpServletRequest request, HttpServletResponse response) throws Exception {
        return "";
    }

    static void commit(TestTomcat tomcat, RelevoSession session) {
        tomcat.manager().requestCompleted(session);
    }

    static RelevoSession at(TestTomcat tomcat, RelevoSession session) {
        return at(tomcat, session.getIdInternal());
    }

    static RelevoSession at(TestTomcat tomcat, String id) {
        try {
            return (RelevoSession) tomcat.manager().findSession(id);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
