package org.relevo.tomcat;

import java.io.IOException;
import java.util.concurrent.atomic.LongAdder;

import jakarta.servlet.ServletException;

import org.apache.catalina.Manager;
import org.apache.catalina.Session;
import org.apache.catalina.authenticator.Constants;
import org.apache.catalina.connector.Request;
import org.apache.catalina.connector.Response;
import org.apache.catalina.valves.ValveBase;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;

/**
 * Gives a session that another node served the route of this one, so that the balancer sends its client here from now
 * on (stands for Tomcat's {@code JvmRouteBinderValve}): {@code X.tomcat1} served on tomcat2 becomes {@code X.tomcat2},
 * with a new cookie. The cluster knows the session by {@code X} and hears nothing of it.
 */
public class RouteBinderValve extends ValveBase {

    private static final Log log = LogFactory.getLog(RouteBinderValve.class);

    private boolean enabled = true;
    private String sessionIdAttribute = "org.apache.catalina.ha.session.JvmRouteOriginalSessionID";
    private final LongAdder sessions = new LongAdder();

    /** Supports asynchronous requests. */
    public RouteBinderValve() {
        super(true);
    }

    /** @return whether routes are changed */
    public boolean getEnabled() {
        return enabled;
    }

    /** @param enable whether routes are changed */
    public void setEnabled(boolean enable) {
        enabled = enable;
    }

    /** @return the request attribute that holds the id that the client sent */
    public String getSessionIdAttribute() {
        return sessionIdAttribute;
    }

    /** @param name of the request attribute that holds the id that the client sent; null or empty: none */
    public void setSessionIdAttribute(String name) {
        sessionIdAttribute = name;
    }

    /** @return sessions that got this node's route */
    public long getNumberOfSessions() {
        return sessions.sum();
    }

    @Override
    public void invoke(Request request, Response response) throws IOException, ServletException {
        String id = request.getRequestedSessionId();
        Manager manager = request.getContext() == null ? null : request.getContext().getManager();
        if (enabled && id != null && manager instanceof RelevoManager && !request.isAsyncDispatching()) {
            bind(request, id, (RelevoManager) manager);
        }
        getNext().invoke(request, response);
    }

    private void bind(Request request, String id, RelevoManager manager) {
        String here = manager.getJvmRoute();
        String there = Route.of(id);
        if (here == null || there == null || there.equals(here)) {
            return;
        }
        Session session = find(manager, id);
        if (session == null) {
            return;
        }
        String newId = Route.key(id) + "." + here;
        if (!session.getIdInternal().equals(newId)) {
            move(manager, session, newId);
        }
        // Another request may have moved the session already; this one brings the old id all the same.
        request.changeSessionId(newId);
        if (sessionIdAttribute != null && !sessionIdAttribute.isEmpty()) {
            request.setAttribute(sessionIdAttribute, id);
        }
    }

    /** A session that can't be had is no reason to refuse the request, which may not even want it. */
    private static Session find(RelevoManager manager, String id) {
        try {
            return manager.findSession(id);
        } catch (IOException e) {
            log.warn("Relevo: " + e.getMessage());
            return null;
        }
    }

    private void move(RelevoManager manager, Session session, String newId) {
        String oldId = session.getIdInternal();
        fireLifecycleEvent("Before session migration", session);
        manager.changeSessionId(session, newId);
        if (oldId.equals(session.getNote(Constants.SESSION_ID_NOTE))) {
            session.setNote(Constants.SESSION_ID_NOTE, newId);
        }
        sessions.increment();
        fireLifecycleEvent("After session migration", session);
    }
}
