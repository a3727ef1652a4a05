package org.relevo.tomcat;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

import org.apache.catalina.Cluster;
import org.apache.catalina.Container;
import org.apache.catalina.Context;
import org.apache.catalina.LifecycleException;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import org.apache.tomcat.util.IntrospectionUtils;

/**
 * The cluster of a Host that has no Cluster element: its settings are on the Manager elements of its applications. A Manager
 * element without settings makes one with the defaults, as a Cluster element without attributes does. What was decided is told.
 */
final class ManagerCluster extends SessionCluster {

    private static final Log log = LogFactory.getLog(ManagerCluster.class);

    /** Not the Host's own lock: the thread that starts a Host holds it, and waits for those that start its applications. */
    private static final Object ONE_AT_A_TIME = new Object();

    private final Map<String, String> given = new TreeMap<>();

    /** Sets what the Cluster element calls so; false if it has no such attribute. */
    boolean set(String name, String value) {
        boolean known = IntrospectionUtils.setProperty(this, name, value, false);
        if (known) {
            given.put(name, value);
        }
        return known;
    }

    /** The cluster of this context's Host or Engine. If there is none, this one becomes the Host's, and all its applications share it. */
    Cluster of(Context context) throws LifecycleException {
        Container host = context.getParent();
        synchronized (ONE_AT_A_TIME) {
            Cluster there = context.getCluster();
            if (there == null) {
                host.setCluster(this);
                log.info("Relevo: " + host.getName() + " has no Cluster; the Manager of context \"" + context.getName()
                        + "\" makes one for all its contexts, with " + (given.isEmpty() ? "the defaults" : String.join(", ", said())));
                if (!getState().isAvailable()) {
                    // A Host that is just starting has started its cluster before its applications.
                    start();
                }
                return this;
            }
            if (there != this && !given.isEmpty() && !hasSettingsOf(there)) {
                log.warn("Relevo: the Manager of context \"" + context.getName() + "\" has settings without effect, " + String.join(", ", said())
                        + ", since " + host.getName() + " has a cluster already; remove them, or give all its Managers the same ones");
            }
            return there;
        }
    }

    private List<String> said() {
        return given.entrySet().stream().map(each -> each.getKey() + "=\"" + each.getValue() + "\"").collect(Collectors.toList());
    }

    private boolean hasSettingsOf(Cluster other) {
        return other instanceof ManagerCluster && ((ManagerCluster) other).given.equals(given);
    }
}
