package org.relevo.tomcat;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import org.relevo.Changes;
import org.relevo.Contents;
import org.relevo.RelevoException;
import org.relevo.SessionKey;

/**
 * The classes of libraries that an application has written into its sessions, on any node.
 *
 * <p>They are a record of the cluster, sealed and copied like a session, in a namespace that no application can have:
 * an attribute a class, so that what two nodes learn at once is kept of both. A name is there before the session that
 * needs it, so that a node that never wrote such a value reads the first one.
 */
final class LearnedClasses {

    private static final Log log = LogFactory.getLog(LearnedClasses.class);

    /** Applications' names have a # in them, or are 64 digits. */
    private static final String NAMESPACE = "relevo:classes";

    /** More names are no values any more. */
    private static final int MOST = 2_000;

    /** Each question may wait for a silent node; streams of unknown names must not hold up requests for ever. */
    private static final int LOOKS_PER_SECOND = 8;

    private static final byte[] WRITTEN = { 1 };

    private final SessionKey key;
    private final Supplier<Replicator> cluster;
    private final Set<String> names = ConcurrentHashMap.newKeySet();
    private final Set<String> unsent = ConcurrentHashMap.newKeySet();
    private long second;
    private int looks;

    /**
     * @param application its namespace
     * @param cluster gives what asks the cluster; null where names stay on their node
     */
    LearnedClasses(String application, Supplier<Replicator> cluster) {
        this.key = new SessionKey(NAMESPACE, application);
        this.cluster = cluster;
    }

    /** Whether the application wrote such a class, here or elsewhere. */
    boolean contains(String name) {
        return names.contains(name) || look() && names.contains(name);
    }

    /** Notes that the application writes such a class; false if there are too many. */
    boolean learn(String name) {
        if (names.contains(name) && unsent.isEmpty()) {
            return true;
        }
        if (names.size() >= MOST || !Changes.isName(name)) {
            return false;
        }
        if (names.add(name)) {
            unsent.add(name);
        }
        send();
        return true;
    }

    /** Sends the new names. Names that couldn't be sent are sent with the next name. */
    private synchronized void send() {
        Replicator asked = cluster.get();
        if (asked == null) {
            return;
        }
        if (!asked.owns(key)) {
            fetch(asked);
        }
        Set<String> sent = Set.copyOf(unsent);
        Changes changes = new Changes();
        sent.forEach(name -> changes.put(name, WRITTEN));
        if (!sent.isEmpty() && asked.commit(key, changes, 0, true)) {
            unsent.removeAll(sent);
            log.info("Relevo: " + key.id() + " writes classes of its libraries into sessions, and other nodes read them:"
                    + " " + String.join(", ", sent));
        }
    }

    /** Asks the cluster, unless it was asked too often just now; false if it wasn't. */
    private synchronized boolean look() {
        Replicator asked = cluster.get();
        long now = System.nanoTime() / 1_000_000_000;
        looks = now == second ? looks + 1 : 1;
        second = now;
        if (asked == null || looks > LOOKS_PER_SECOND) {
            return false;
        }
        fetch(asked);
        return true;
    }

    private void fetch(Replicator asked) {
        try {
            Contents contents = asked.fetch(key, null);
            if (contents != null && contents.attributes().size() <= MOST) {
                names.addAll(contents.attributes().keySet());
            }
        } catch (RelevoException e) {
            // The line about it is said; a later value asks again.
        }
    }
}
