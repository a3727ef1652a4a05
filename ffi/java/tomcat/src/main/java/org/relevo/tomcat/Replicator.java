package org.relevo.tomcat;

import java.util.concurrent.atomic.AtomicLong;

import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import org.relevo.Ack;
import org.relevo.Changes;
import org.relevo.Committed;
import org.relevo.Confirmed;
import org.relevo.Contents;
import org.relevo.Node;
import org.relevo.RelevoException;
import org.relevo.SessionKey;

/**
 * The operations of the node for managers. No failure of the node reaches a request: it becomes a line in the log, and the
 * session is served from memory.
 */
final class Replicator {

    private static final Log log = LogFactory.getLog(Replicator.class);

    /** A node in trouble fails at every request; one line in this time says it. */
    private static final long QUIET_MILLIS = 10_000;

    private final Node node;
    private final Ack ack;
    private final AtomicLong lastWarning = new AtomicLong(Long.MIN_VALUE / 2);
    private final AtomicLong unconfirmed = new AtomicLong();

    Replicator(Node node, Ack ack) {
        this.node = node;
        this.ack = ack;
    }

    /** The largest value of an attribute in bytes. */
    int maxValue() {
        try {
            return node.maxValue();
        } catch (RelevoException e) {
            return Integer.MAX_VALUE; // a closed node takes nothing, whatever its size
        }
    }

    /** The version that this node may serve without asking, 0 if it may not; {@code unknown} if the node can't tell. */
    long version(SessionKey key, long unknown) {
        try {
            return node.version(key);
        } catch (RelevoException e) {
            warn("owner of session " + key, e);
            return unknown;
        }
    }

    /** The newest contents, of which this node is now the primary; null if there is no such session. */
    Contents fetch(SessionKey key, String hint) throws RelevoException {
        try {
            return node.fetch(key, hint);
        } catch (RelevoException e) {
            warn("session " + key + " can't be fetched", e);
            throw e;
        }
    }

    /** Whether this node has a copy of the session, so that it hears of its end. */
    boolean holds(SessionKey key) {
        try {
            return node.get(key) != null;
        } catch (RelevoException e) {
            return false;
        }
    }

    /** Writes changes of what was seen as {@code base}, and waits for copies if {@code wait}. */
    Committed commitFrom(SessionKey key, long base, Changes changes, int maxInactive, boolean wait)
            throws RelevoException {
        try {
            Committed done = node.commitFrom(key, base, changes, maxInactive, wait ? ack : Ack.NONE);
            if (done.outcome() == Committed.Outcome.DONE) {
                note(key, done.confirmed());
            }
            return done;
        } catch (RelevoException e) {
            warn("session " + key + " is not replicated", e);
            throw e;
        }
    }

    /** Writes changes whatever others did meanwhile; false if nothing was written. */
    boolean commit(SessionKey key, Changes changes, int maxInactive, boolean wait) {
        try {
            note(key, node.commit(key, changes, maxInactive, wait ? ack : Ack.NONE));
            return true;
        } catch (RelevoException e) {
            warn("session " + key + " is not replicated", e);
            return false;
        }
    }

    /** Whether this node may serve what has this key without asking; if it can't tell, nobody else can. */
    boolean owns(SessionKey key) {
        return version(key, 1) != 0;
    }

    void invalidate(SessionKey key) {
        try {
            note(key, node.invalidate(key));
        } catch (RelevoException e) {
            warn("session " + key + " may live on elsewhere", e);
        }
    }

    /** Ends the session if it is still what was seen as {@code base}. */
    boolean invalidateFrom(SessionKey key, long base) {
        try {
            Confirmed confirmed = node.invalidateFrom(key, base);
            if (confirmed != null) {
                note(key, confirmed);
            }
            return confirmed != null;
        } catch (RelevoException e) {
            warn("session " + key + " may live on elsewhere", e);
            return true;
        }
    }

    /** False if the session keeps its old id in the cluster. */
    boolean rename(SessionKey key, String id) {
        try {
            note(key, node.rename(key, id));
            return true;
        } catch (RelevoException e) {
            warn("session " + key + " keeps its id in the cluster", e);
            return false;
        }
    }

    void touch(SessionKey key) {
        try {
            node.touch(key);
        } catch (RelevoException e) {
            warn("use of session " + key, e);
        }
    }

    /** Changes that fewer nodes confirmed in time than were asked for. */
    long unconfirmed() {
        return unconfirmed.get();
    }

    private void note(SessionKey key, Confirmed confirmed) {
        if (!confirmed.met()) {
            unconfirmed.incrementAndGet();
            log.debug("session " + key + ": confirmed by " + confirmed.copies() + " in time");
        }
    }

    private void warn(String what, RelevoException e) {
        long now = System.nanoTime() / 1_000_000;
        long last = lastWarning.get();
        if (now - last >= QUIET_MILLIS && lastWarning.compareAndSet(last, now)) {
            log.warn("Relevo: " + what + ": " + e.getMessage());
        } else {
            log.debug(what, e);
        }
    }
}
