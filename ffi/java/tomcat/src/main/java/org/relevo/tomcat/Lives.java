package org.relevo.tomcat;

import java.io.IOException;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

import org.relevo.Committed;
import org.relevo.Contents;
import org.relevo.RelevoException;
import org.relevo.SessionKey;

/**
 * The lives of the objects that stand for an application's sessions on this node.
 *
 * <pre>
 *           first commit             the session ended, here or elsewhere
 *    NEW ------------------> SHARED ---------------------------------------> ENDED
 *     |                      ^    |                                            ^
 *     |    found elsewhere   |    | served elsewhere: its version here is      |
 *     |   (an empty object) -+    | another one, or none; fetching it again    |
 *     |                           | brings the object up to date               |
 *     +-------------------------- expired before its first commit -------------+
 * </pre>
 *
 * <ul>
 * <li>NEW: only this object knows of the session. SHARED: the cluster knows it. ENDED: nothing is committed any more.</li>
 * <li>There is one object of a session, which {@link Reachable} finds for as long as anybody has it.</li>
 * <li>The object is current while the node serves the session in the version that the object has seen, or while this
 * object's own commit is making another one. Only a current object is given to a request.</li>
 * <li>State, version and id change only under the object's lock. Contents are put in under the same hold of the lock
 * under which they were fetched, and a commit or an expiry depends on the version that was seen: so contents never
 * replace what was set or committed since they were read, and no commit overwrites a version that it hasn't seen.</li>
 * <li>A thread that decides that a session ended does so under the lock, for the id that the object has then.</li>
 * </ul>
 *
 * <p>Order of locks: an object's lock, then the maps of sessions, then the node's own. No thread waits for one object's
 * lock while it holds another's. The only code of an application that runs under the lock is that of values being
 * serialized and of principals being read; listeners run after the lock was released. The wait for the lock is bounded:
 * a request that doesn't get it serves what is there, or leaves its changes to the next request.
 */
final class Lives {

    /** How long a request waits for the lock: longer than a commit may take. Then the next request commits what is left. */
    private static final long LOCK_MILLIS = 4_000;

    /** How long a new id or an end waits for the lock: these can't be left to the next request. */
    private static final long PATIENT_MILLIS = 30_000;

    /** How often a commit tries again when other nodes take the session between its fetch and its commit. */
    private static final int TURNS = 8;

    /** How often this node asks whether a session ended of which it has an object, but no copy. */
    private static final long ASK_NANOS = TimeUnit.SECONDS.toNanos(60);

    private enum State {
        NEW, SHARED, ENDED
    }

    /** The state that {@link Lives} keeps of one object. */
    static final class Life {

        private final ReentrantLock lock = new ReentrantLock(true);
        private volatile State state = State.NEW;

        /** The version that the object has seen; 0: none yet. */
        private volatile long version;

        /** Whether the version that the node has may be this object's own. */
        private volatile boolean committing;

        /** When this node was seen not to serve the session; 0: it serves it. */
        private volatile long awaySince;

        boolean isShared() {
            return state == State.SHARED;
        }

        boolean isAway() {
            return awaySince != 0;
        }

        boolean isLocked() {
            return lock.isHeldByCurrentThread();
        }

        private boolean lock(long millis) {
            try {
                return lock.tryLock(millis, TimeUnit.MILLISECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return lock.tryLock();
            }
        }

        private void seen(long newVersion) {
            assert lock.isHeldByCurrentThread() && state != State.ENDED;
            version = newVersion;
            state = State.SHARED;
            awaySince = 0;
        }

        /** False if it had ended before. */
        private boolean end() {
            assert lock.isHeldByCurrentThread();
            boolean ends = state != State.ENDED;
            state = State.ENDED;
            return ends;
        }
    }

    private final RelevoManager manager;
    private final Replicator replicator;
    private final Reachable reachable = new Reachable();

    /** Sessions whose end was reported while another thread had their lock. */
    private final Set<SessionKey> untold = ConcurrentHashMap.newKeySet();

    Lives(RelevoManager manager, Replicator replicator) {
        this.manager = manager;
        this.replicator = replicator;
    }

    /** The objects of all sessions that have arrived. */
    List<RelevoSession> all() {
        List<RelevoSession> all = reachable.all();
        all.removeIf(session -> !session.hasArrived());
        return all;
    }

    /** The application stops: the objects are forgotten here, and live on as long as anybody has them. */
    void forgetAll() {
        reachable.clear();
        untold.clear();
    }

    // ------------------------------------------------------------- Finding

    /** Whether the object may be served without asking anybody. */
    boolean isCurrent(RelevoSession session) {
        Life life = session.life();
        if (life.state != State.SHARED) {
            return life.state == State.NEW;
        }
        long version = replicator.version(session.key(), life.version);
        return version != 0 && (version == life.version || life.committing);
    }

    /** Whether this node serves the session. */
    boolean isHere(RelevoSession session) {
        Life life = session.life();
        return life.state == State.NEW || life.isShared() && replicator.version(session.key(), life.version) != 0;
    }

    /** An object has its id. */
    void known(String oldId, String id, RelevoSession session) {
        if (oldId != null && !oldId.equals(id)) {
            reachable.remove(oldId, session);
        }
        if (reachable.get(id) != session) {
            reachable.put(id, session);
        }
    }

    /** The session of this id, served here from now on; null if there is none. */
    RelevoSession find(String id) throws IOException {
        String key = Route.key(id);
        for (int turn = 0; turn < TURNS; turn++) {
            RelevoSession session = reachable.getOrPut(key, () -> new RelevoSession(manager, id));
            if (session.hasArrived() && isCurrent(session)) {
                return session;
            }
            if (!session.life().lock(LOCK_MILLIS)) {
                return busy(session);
            }
            try {
                if (session.life().state != State.ENDED && session.key().id().equals(key)) {
                    return isCurrent(session) && session.hasArrived() || fetch(session) ? session : null;
                }
            } finally {
                unlock(session);
            }
            if (!session.hasArrived()) {
                return null; // the one that fetched found nothing
            }
            reachable.remove(key, session);
        }
        return null;
    }

    private static RelevoSession busy(RelevoSession session) throws IOException {
        if (session.hasArrived()) {
            return session;
        }
        throw new IOException("session " + session.key() + " has been on its way for too long");
    }

    /** Brings the object up to date, as far as the node can; false if there is no such session. */
    private boolean fetch(RelevoSession session) throws IOException {
        boolean asked = false;
        try {
            boolean found = bring(session);
            asked = true;
            return found;
        } catch (RelevoException e) {
            asked = session.hasArrived();
            return asked;
        } catch (RuntimeException e) {
            throw new IOException("session " + session.key() + ": " + e, e);
        } finally {
            if (!asked && !session.hasArrived()) {
                session.life().end();
                reachable.remove(session.key().id(), session);
            }
        }
    }

    private boolean bring(RelevoSession session) throws RelevoException {
        Life life = session.life();
        Contents contents = replicator.fetch(session.key(), Route.of(session.getIdInternal()));
        if (contents == null) {
            end(session);
            return false;
        }
        session.accept(contents);
        life.seen(contents.version());
        publish(session);
        return true;
    }

    private void publish(RelevoSession session) {
        manager.publish(session);
        reachable.letGo(session);
    }

    // ------------------------------------------------------------- Committing

    /**
     * Commits what changed. Commits of one session go one after the other, each with all that is pending, so that a
     * thread that waited finds its own changes committed.
     */
    void commit(RelevoSession session, boolean wait) {
        if (!session.hasChanges() || !session.life().lock(wait ? LOCK_MILLIS : 0)) {
            return;
        }
        try {
            for (int turn = 0; session.hasChanges() && session.life().state != State.ENDED; turn++) {
                if (!isCurrent(session) && !bring(session) || send(session, wait, turn < TURNS)) {
                    return;
                }
            }
        } catch (RelevoException e) {
            // The failure was reported; the changes are still pending.
        } finally {
            unlock(session);
        }
    }

    /** False if it has to be tried again. */
    private boolean send(RelevoSession session, boolean wait, boolean careful) throws RelevoException {
        Set<String> names = session.takeChanges();
        boolean sent = false;
        try {
            Written written = session.write(names);
            session.life().committing = true;
            sent = careful ? sendFrom(session, written, wait) : sendAnyway(session, written, wait);
            return sent || session.life().state == State.ENDED;
        } finally {
            if (!sent) {
                session.restoreChanges(names);
            }
            session.life().committing = false;
        }
    }

    private boolean sendFrom(RelevoSession session, Written written, boolean wait) throws RelevoException {
        Life life = session.life();
        Committed done = replicator.commitFrom(session.key(), life.version, written.changes(),
                session.getMaxInactiveInterval(), wait);
        switch (done.outcome()) {
            case DONE:
                session.shipped().sent(written);
                life.seen(done.version());
                return true;
            case ENDED:
                end(session);
                return false;
            case TOO_LARGE:
                if (!session.shipped().leaveOutLargest(written)) {
                    throw new RelevoException("session " + session.key() + " has too many attributes to be replicated");
                }
                return false;
            default:
                life.version = 0;
                return false;
        }
    }

    /** Others take the session again and again: the node merges what was changed here with what they changed. */
    private boolean sendAnyway(RelevoSession session, Written written, boolean wait) throws RelevoException {
        if (!replicator.commit(session.key(), written.changes(), session.getMaxInactiveInterval(), wait)) {
            throw new RelevoException("session " + session.key() + " is not replicated");
        }
        session.shipped().sent(written);
        session.life().seen(0);
        return true;
    }

    /** Notes that the session was used. */
    void touch(RelevoSession session) {
        if (session.isAlive() && session.life().isShared()) {
            replicator.touch(session.key());
        }
    }

    // ------------------------------------------------------------- New ids

    /** Gives the session another id, in the cluster too; the cluster knows it without its route. */
    void rename(RelevoSession session, String newId) {
        Life life = session.life();
        boolean locked = life.lock(PATIENT_MILLIS);
        try {
            SessionKey key = session.key();
            if (locked && life.isShared() && !key.equals(manager.keyOf(newId))) {
                if (!isCurrent(session) && !fetchQuietly(session)) {
                    throw new IllegalStateException("session " + key + " has ended on another node");
                }
                renameShared(session, newId);
            }
            session.setId(newId, false);
        } finally {
            if (locked) {
                unlock(session);
            }
        }
    }

    private boolean fetchQuietly(RelevoSession session) {
        try {
            return bring(session);
        } catch (RelevoException e) {
            return true; // told; the node takes the session over with what it has
        }
    }

    private void renameShared(RelevoSession session, String newId) {
        Life life = session.life();
        if (replicator.rename(session.key(), Route.key(newId))) {
            life.version = replicator.version(manager.keyOf(newId), 0);
            return;
        }
        // The old id must not live on, whatever happens: the next commit brings the session under its new one.
        replicator.invalidate(session.key());
        life.state = State.NEW;
        life.version = 0;
        session.changeAll();
    }

    // ------------------------------------------------------------- Ends

    /** The session ended here, and its listeners have run. */
    void ended(RelevoSession session) {
        Life life = session.life();
        boolean locked = life.lock(PATIENT_MILLIS);
        try {
            boolean wasShared = life.isShared();
            boolean ends = !locked || life.end();
            if (wasShared && ends) {
                replicator.invalidate(session.key());
            }
            leave(session);
        } finally {
            if (locked) {
                life.lock.unlock();
            }
        }
    }

    /**
     * Ends a session that was idle too long, if it was seen as it is in the cluster; false if it lives on, because it is
     * used just now, or served elsewhere. The caller that gets true runs the listeners.
     */
    boolean claimExpired(RelevoSession session) {
        Life life = session.life();
        if (!life.lock(0)) {
            return false;
        }
        try {
            if (!session.isIdleTooLong() || life.state == State.ENDED) {
                return false;
            }
            boolean claimed = life.state == State.NEW
                    || isCurrent(session) && replicator.invalidateFrom(session.key(), life.version);
            return claimed && life.end();
        } finally {
            life.lock.unlock();
        }
    }

    /** The session ended on another node, where its listeners ran. */
    void endedElsewhere(SessionKey key) {
        RelevoSession session = reachable.get(key.id());
        if (session == null) {
            return;
        }
        if (!session.life().lock(0)) {
            untold.add(key);
            return;
        }
        try {
            if (session.key().equals(key) && session.life().isShared() && !isHere(session) && !replicator.holds(key)) {
                end(session);
            }
        } finally {
            unlock(session);
        }
    }

    /** Reports the ends that could not be reported before because another thread had the lock. */
    void tellUntold() {
        for (SessionKey key : untold) {
            untold.remove(key);
            endedElsewhere(key);
        }
    }

    /** There is no such session any more; called under the lock. */
    private void end(RelevoSession session) {
        if (session.life().end() && session.hasArrived()) {
            session.endElsewhere();
        }
        leave(session);
    }

    private void leave(RelevoSession session) {
        reachable.remove(session.key().id(), session);
        reachable.letGo(session);
        manager.withdraw(session);
    }

    /** Releases the lock, and runs what had to wait for that. */
    private static void unlock(RelevoSession session) {
        session.life().lock.unlock();
        if (!session.life().isLocked()) {
            session.tellEndElsewhere();
        }
    }

    // ------------------------------------------------------------- In the background

    /** Another node may serve the session now: then its object is not needed here, unless it has what nobody else has. */
    void review(RelevoSession session) {
        Life life = session.life();
        if (life.state != State.SHARED || isHere(session) || !life.lock(0)) {
            return;
        }
        try {
            if (life.state != State.SHARED || isHere(session)) {
                return;
            }
            if (life.awaySince == 0) {
                life.awaySince = System.nanoTime() | 1;
            }
            if (session.hasChanges() || session.hasWhatOthersLack()) {
                reachable.hold(session);
                askForEnd(session);
            } else {
                reachable.letGo(session);
            }
            if (!session.hasChanges()) {
                manager.withdraw(session);
            }
        } finally {
            unlock(session);
        }
    }

    /** A node without a copy isn't told of the end, so it asks at intervals, which makes it the primary for a moment. */
    private void askForEnd(RelevoSession session) {
        Life life = session.life();
        if (life.state == State.ENDED || System.nanoTime() - life.awaySince < ASK_NANOS || session.hasChanges()) {
            return;
        }
        life.awaySince = System.nanoTime() | 1;
        if (!replicator.holds(session.key())) {
            fetchQuietly(session);
        }
    }

    /** A change was made to an object that nobody may hold: it is to be committed all the same. */
    void changedAway(RelevoSession session) {
        reachable.hold(session);
    }
}
