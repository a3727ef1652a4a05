package org.relevo.tomcat;

import java.util.ArrayList;
import java.util.List;

import org.apache.catalina.connector.Request;

/**
 * The sessions that one request joined or created, in whatever context: noted when the request gets them, so that
 * nobody has to look for (and thereby fetch) a session that the request never used. Kept with the request, which may
 * come back on another thread when it is asynchronous.
 */
final class RequestSessions implements AutoCloseable {

    private static final String NOTE = RequestSessions.class.getName();
    private static final ThreadLocal<RequestSessions> CURRENT = new ThreadLocal<>();

    private final List<RelevoSession> sessions = new ArrayList<>(2);

    private RequestSessions() {
    }

    /** Notes what {@code request} uses on this thread, until closed. */
    static RequestSessions of(Request request) {
        RequestSessions noted = (RequestSessions) request.getNote(NOTE);
        if (noted == null) {
            noted = new RequestSessions();
            request.setNote(NOTE, noted);
        }
        CURRENT.set(noted);
        return noted;
    }

    /** Notes that the request on this thread uses {@code session}; outside of requests it does nothing. */
    static void note(RelevoSession session) {
        RequestSessions current = CURRENT.get();
        if (current != null && !current.sessions.contains(session)) {
            current.sessions.add(session);
        }
    }

    List<RelevoSession> sessions() {
        return sessions;
    }

    @Override
    public void close() {
        CURRENT.remove();
    }
}
