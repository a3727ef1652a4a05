package org.relevo.tomcat;

import java.io.IOException;
import java.util.concurrent.atomic.LongAdder;
import java.util.regex.Pattern;

import jakarta.servlet.ServletException;

import org.apache.catalina.Manager;
import org.apache.catalina.connector.Request;
import org.apache.catalina.connector.Response;
import org.apache.catalina.valves.ValveBase;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;

/**
 * Commits after each request what it changed in its sessions, before the response is finished (stands for Tomcat's
 * {@code ReplicationValve}). A request that changed nothing sends nothing. Sessions of other contexts that the request
 * reached through {@code crossContext} are committed with it.
 */
public class ReplicationValve extends ValveBase {

    private static final Log log = LogFactory.getLog(ReplicationValve.class);

    private Pattern filter;
    private boolean primaryIndicator;
    private String primaryIndicatorName = "org.apache.catalina.ha.tcp.isPrimarySession";
    private boolean statistics;

    private final LongAdder requests = new LongAdder();
    private final LongAdder filtered = new LongAdder();
    private final LongAdder sends = new LongAdder();
    private final LongAdder sendNanos = new LongAdder();

    /** Supports asynchronous requests. */
    public ReplicationValve() {
        super(true);
    }

    // ------------------------------------------------------------- Settings

    /** @return requests whose decoded URI matches don't wait for their commit, which follows the response */
    public String getFilter() {
        return filter == null ? null : filter.pattern();
    }

    /** @param expression of requests that don't wait for their commit; null or empty: all wait */
    public void setFilter(String expression) {
        filter = expression == null || expression.isEmpty() ? null : Pattern.compile(expression);
    }

    /** @return whether requests get an attribute that says if this node served their session already */
    public boolean isPrimaryIndicator() {
        return primaryIndicator;
    }

    /** @param indicate whether requests get an attribute that says if this node served their session already */
    public void setPrimaryIndicator(boolean indicate) {
        primaryIndicator = indicate;
    }

    /** @return the name of that attribute */
    public String getPrimaryIndicatorName() {
        return primaryIndicatorName;
    }

    /** @param name of that attribute */
    public void setPrimaryIndicatorName(String name) {
        primaryIndicatorName = name;
    }

    /** @return whether requests are counted */
    public boolean doStatistics() {
        return statistics;
    }

    /** @param count whether requests are counted */
    public void setStatistics(boolean count) {
        statistics = count;
    }

    /** @return requests counted */
    public long getNrOfRequests() {
        return requests.sum();
    }

    /** @return requests that the filter named */
    public long getNrOfFilterRequests() {
        return filtered.sum();
    }

    /** @return sessions committed or touched */
    public long getNrOfSendRequests() {
        return sends.sum();
    }

    /** @return milliseconds that requests waited for that */
    public long getTotalSendTime() {
        return sendNanos.sum() / 1_000_000;
    }

    // ------------------------------------------------------------- Requests

    @Override
    public void invoke(Request request, Response response) throws IOException, ServletException {
        if (primaryIndicator) {
            indicatePrimary(request);
        }
        try (RequestSessions sessions = RequestSessions.of(request)) {
            try {
                getNext().invoke(request, response);
            } finally {
                complete(request, sessions);
            }
        }
    }

    private void complete(Request request, RequestSessions sessions) {
        long start = statistics ? System.nanoTime() : 0;
        boolean waits = filter == null || !filter.matcher(String.valueOf(request.getDecodedRequestURI())).matches();
        if (waits) {
            sessions.sessions().forEach(this::complete);
        }
        if (statistics) {
            count(waits, sessions.sessions().size(), System.nanoTime() - start);
        }
    }

    private void complete(RelevoSession session) {
        Manager manager = session.getManager();
        try {
            if (manager instanceof RelevoManager) {
                ((RelevoManager) manager).requestCompleted(session);
            }
        } catch (RuntimeException e) {
            // The response is ready: a session that isn't replicated must not take it from the client.
            log.error("Relevo: " + session + " is not replicated", e);
        }
    }

    private void count(boolean waited, int sessions, long nanos) {
        requests.increment();
        if (waited) {
            sends.add(sessions);
            sendNanos.add(nanos);
        } else {
            filtered.increment();
        }
    }

    /** Asks before the request moves the session here. */
    private void indicatePrimary(Request request) {
        String id = request.getRequestedSessionId();
        Manager manager = request.getContext() == null ? null : request.getContext().getManager();
        if (id != null && !id.isEmpty() && manager instanceof RelevoManager) {
            request.setAttribute(primaryIndicatorName, ((RelevoManager) manager).isPrimary(id));
        }
    }
}
