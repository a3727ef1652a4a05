package org.relevo.tomcat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ConcurrentModificationException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicLong;

import org.apache.catalina.Cluster;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.LifecycleState;
import org.apache.catalina.Session;
import org.apache.catalina.session.ManagerBase;
import org.apache.catalina.session.StandardSession;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import org.relevo.Changes;
import org.relevo.Contents;
import org.relevo.RelevoException;
import org.relevo.SessionKey;
import org.relevo.tomcat.AttributeCodec.RefusedException;
import org.relevo.tomcat.AttributeCodec.UnreadableException;

/**
 * The sessions of one application (stands for Tomcat's {@code DeltaManager} and {@code BackupManager}).
 *
 * <p>Holds the sessions that this node serves as objects. A session that another node served is fetched when a request
 * brings its id, and an object is forgotten when its session has moved on. Without a node (see {@link RelevoCluster})
 * it is a manager of local sessions.
 */
public class RelevoManager extends ManagerBase {

    private static final Log log = LogFactory.getLog(RelevoManager.class);

    /**
     * How long a request waits for another one's commit of the same session: longer than a commit may take, and it is
     * for the next to take over what is left.
     */
    private static final long LOCK_MILLIS = 4_000;

    /** What is pending of a session without a request, idle for so long, came from elsewhere (a WebSocket, say). */
    private static final long QUIET_MILLIS = 10_000;

    /** Different lines about attributes that can't be replicated or read. */
    private static final int SAID_MOST = 100;

    private final ConcurrentHashMap<String, FutureTask<RelevoSession>> arriving = new ConcurrentHashMap<>();
    private final Set<String> said = ConcurrentHashMap.newKeySet();
    private final AtomicLong arrived = new AtomicLong();
    private final AtomicLong dropped = new AtomicLong();
    private final AtomicLong refused = new AtomicLong();

    private RelevoCluster cluster;
    private volatile Replicator replicator;
    private AttributeCodec codec;
    private String namespace;
    private boolean expireSessionsOnShutdown;

    /** Made by {@link RelevoCluster#createManager}. */
    public RelevoManager() {
        sessions = new SessionMap();
    }

    // ------------------------------------------------------------- Settings

    /** @return whether stopping the application here ends its sessions everywhere; default no */
    public boolean isExpireSessionsOnShutdown() {
        return expireSessionsOnShutdown;
    }

    /** @param expire whether stopping the application here ends its sessions everywhere */
    public void setExpireSessionsOnShutdown(boolean expire) {
        expireSessionsOnShutdown = expire;
    }

    /** @return {@code host#context}, which is also the application's name in the cluster */
    @Override
    public String getName() {
        return getContext().getParent().getName() + "#" + getContext().getName();
    }

    /** @return sessions that came from other nodes since the start */
    public long getArrivedSessions() {
        return arrived.get();
    }

    /** @return attributes that could not be turned into objects here since the start */
    public long getDroppedAttributes() {
        return dropped.get();
    }

    /** @return attributes whose classes or sizes the filter refused since the start; see the Cluster's objectFilter */
    public long getRefusedAttributes() {
        return refused.get();
    }

    /** @return changes that fewer nodes confirmed in time than were asked for, of all applications */
    public long getUnconfirmedChanges() {
        return replicator == null ? 0 : replicator.unconfirmed();
    }

    void setCluster(RelevoCluster cluster) {
        this.cluster = cluster;
    }

    // ------------------------------------------------------------- Start and stop

    @Override
    protected void startInternal() throws LifecycleException {
        namespace = fit(getName());
        Cluster found = cluster == null ? getContext().getCluster() : cluster;
        cluster = found instanceof RelevoCluster ? (RelevoCluster) found : null;
        // Before the cluster knows of it: its events may ask for sessions at once.
        ObjectFilter filter = cluster == null ? new ObjectFilter(null) : cluster.filter();
        codec = cluster == null || cluster.learnsLocally() ? new AttributeCodec(getContext(), filter)
                : new AttributeCodec(getContext(), filter, new LearnedClasses(namespace, () -> replicator));
        joinCluster();
        super.startInternal();
        setState(LifecycleState.STARTING);
    }

    private void joinCluster() {
        replicator = cluster == null ? null : cluster.join(namespace, this);
        if (replicator == null) {
            log.warn("Relevo: the sessions of " + getName() + " are served by this Tomcat alone");
        }
    }

    /** Leaves the sessions to the other nodes, which have copies, unless they are to end. */
    @Override
    protected void stopInternal() throws LifecycleException {
        setState(LifecycleState.STOPPING);
        for (Session session : findSessions()) {
            if (expireSessionsOnShutdown && owns((RelevoSession) session)) {
                session.expire();
            } else {
                handOver((RelevoSession) session);
            }
        }
        sessions.clear();
        if (cluster != null) {
            cluster.part(namespace, this);
        }
        // Requests that outlast their application still commit: the node is there until the cluster stops.
        super.stopInternal();
    }

    private void handOver(RelevoSession session) {
        if (owns(session)) {
            session.passivate();
        }
        commit(session, false);
    }

    /** Nothing: sessions are in the cluster, not in a file. */
    @Override
    public void load() {
        // See above.
    }

    /** Nothing: sessions are in the cluster, not in a file. */
    @Override
    public void unload() {
        // See above.
    }

    // ------------------------------------------------------------- Finding and making sessions

    @Override
    protected StandardSession getNewSession() {
        return new RelevoSession(this);
    }

    /** A client may bring the id of a new session, and may have made it up. */
    @Override
    public Session createSession(String sessionId) {
        return super.createSession(sessionId == null || SessionKey.isId(Route.key(sessionId)) ? sessionId : null);
    }

    /** The session of this id and any route, which is from now on served here. */
    @Override
    public Session findSession(String id) throws IOException {
        if (id == null) {
            return null;
        }
        RelevoSession local = (RelevoSession) sessions.get(id);
        if (isCurrent(local) || replicator == null) {
            return local;
        }
        return SessionKey.isId(Route.key(id)) ? fetchOnce(id) : null;
    }

    /** Requests of one session often come together: the first one asks, the others get what it got. */
    private RelevoSession fetchOnce(String id) throws IOException {
        FutureTask<RelevoSession> mine = new FutureTask<>(() -> fetch(id));
        FutureTask<RelevoSession> first = arriving.putIfAbsent(Route.key(id), mine);
        if (first == null) {
            first = mine;
            try {
                mine.run();
            } finally {
                arriving.remove(Route.key(id), mine);
            }
        }
        try {
            return first.get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while session " + SessionKey.abbreviate(id) + " was fetched", e);
        } catch (ExecutionException e) {
            throw new IOException("session " + SessionKey.abbreviate(id) + ": " + e.getCause(), e);
        }
    }

    private RelevoSession fetch(String id) {
        RelevoSession local = (RelevoSession) sessions.get(id);
        if (isCurrent(local)) {
            return local;
        }
        if (local != null) {
            // Requests under way here keep their object, and see what changed.
            return refresh(local) ? local : null;
        }
        try {
            Contents contents = replicator.fetch(keyOf(id), Route.of(id));
            return contents == null ? null : arrived(id, contents);
        } catch (RelevoException e) {
            return null;
        }
    }

    private RelevoSession arrived(String id, Contents contents) {
        RelevoSession session = new RelevoSession(this);
        session.arrive(id, contents);
        arrived.incrementAndGet();
        return session;
    }

    /** Brings an object up to date whose session was served elsewhere meanwhile; false if it ended there. */
    private boolean refresh(RelevoSession session) {
        try {
            Contents contents = replicator.fetch(session.key(), Route.of(session.getIdInternal()));
            if (contents == null) {
                forget(session);
                return false;
            }
            session.accept(contents);
        } catch (RelevoException e) {
            // Better what is here than nothing; the node said why in the log.
        }
        return true;
    }

    private boolean isCurrent(RelevoSession session) {
        return session != null && !session.isOutdated() && owns(session);
    }

    /** Whether this node serves the session; one that was never committed is known to nobody else. */
    boolean owns(RelevoSession session) {
        Replicator asked = replicator;
        return asked == null || !session.isStored() || asked.owns(session.key());
    }

    /** Whether a session of this id is served here already. */
    boolean isPrimary(String id) {
        RelevoSession session = (RelevoSession) sessions.get(id);
        return session != null && owns(session);
    }

    SessionKey keyOf(String id) {
        return new SessionKey(namespace, Route.key(id));
    }

    // ------------------------------------------------------------- After a request

    /** Sends what a request changed, or notes that the session was used. */
    void requestCompleted(RelevoSession session) {
        if (session.hasChanges()) {
            commit(session, true);
        } else if (replicator != null && session.isAlive() && session.isStored()) {
            replicator.touch(session.key());
        }
    }

    /** Sends what is left when a request is recycled: of an asynchronous one, or one that the valve's filter names. */
    void requestEnded(RelevoSession session) {
        if (session.hasChanges()) {
            commit(session, false);
        }
    }

    /**
     * Commits what changed. Commits of one session go one after the other, each with all that is pending, so that who
     * waited finds its own changes committed.
     */
    private void commit(RelevoSession session, boolean wait) {
        if (replicator == null || !session.hasChanges() || !session.lock(wait ? LOCK_MILLIS : 0)) {
            return;
        }
        try {
            if (isCurrent(session) || refresh(session)) {
                commitLocked(session, wait);
            }
        } finally {
            session.unlock();
        }
    }

    private void commitLocked(RelevoSession session, boolean wait) {
        Set<String> names = session.isAlive() ? session.takeChanges() : null;
        if (names == null) {
            return;
        }
        Changes changes = new Changes();
        for (String name : names) {
            session.write(name, changes);
        }
        if (replicator.commit(session.key(), changes, session.getMaxInactiveInterval(), wait)) {
            session.setStored(true);
            outdateOthers(session);
        } else {
            session.restoreChanges(names);
        }
    }

    /** A request may hold an object from before its session moved away and came back as another one. */
    private void outdateOthers(RelevoSession session) {
        RelevoSession found = (RelevoSession) sessions.get(session.getIdInternal());
        if (found != null && found != session) {
            found.setOutdated();
        }
    }

    /** The bytes of a value; null, with a warning, if it has none. */
    byte[] write(RelevoSession session, String full, Object value) {
        if (!Changes.isName(full)) {
            return lost(session, full, "its name is longer than " + (Changes.MAX_NAME - 2) + " bytes");
        }
        try {
            return codec.write(value, type -> willBeRefused(session, full, type));
        } catch (ConcurrentModificationException e) {
            throw e;
        } catch (IOException | RuntimeException | StackOverflowError e) {
            return lost(session, full, "class " + value.getClass().getName() + ": " + e);
        }
    }

    private byte[] lost(RelevoSession session, String full, String why) {
        sayOnce(session, SessionState.describe(full) + " is not replicated: " + why);
        return null;
    }

    private void willBeRefused(RelevoSession session, String full, Class<?> type) {
        sayOnce(session, SessionState.describe(full) + " will be refused by other nodes: class " + type.getName()
                + codec.cure(type));
    }

    /** Says once what would be said after every request. */
    private void sayOnce(RelevoSession session, String line) {
        if (said.size() < SAID_MOST && said.add(line)) {
            log.warn("Relevo: session " + session.key() + ": " + line);
        } else {
            log.debug("session " + session.key() + ": " + line);
        }
    }

    /** The value of these bytes; null, with a warning, if there is none to be had here. */
    Object read(RelevoSession session, String full, byte[] bytes) {
        try {
            return codec.read(bytes);
        } catch (RefusedException e) {
            refused.incrementAndGet();
            sayOnce(session, SessionState.describe(full) + " is refused here: " + e.getMessage());
            return null;
        } catch (UnreadableException e) {
            dropped.incrementAndGet();
            sayOnce(session, SessionState.describe(full) + " is dropped here: " + e.getMessage());
            return null;
        }
    }

    // ------------------------------------------------------------- New ids

    @Override
    protected void changeSessionId(Session session, String newId, boolean notifySessionListeners,
            boolean notifyContainerListeners) {
        String oldId = session.getIdInternal();
        RelevoSession renamed = (RelevoSession) session;
        boolean locked = renamed.lock(LOCK_MILLIS);
        try {
            renameStored(renamed, newId);
            session.setId(newId, false);
        } finally {
            if (locked) {
                renamed.unlock();
            }
        }
        session.tellChangedSessionId(newId, oldId, notifySessionListeners, notifyContainerListeners);
    }

    /** The cluster knows a session without its route: another route alone is no news to it. */
    private void renameStored(RelevoSession session, String newId) {
        SessionKey oldKey = session.key();
        if (replicator == null || !session.isStored() || oldKey.equals(keyOf(newId))) {
            return;
        }
        if (!replicator.rename(oldKey, Route.key(newId))) {
            // The old id must not live on, whatever happens: the next commit brings the session under its new one.
            replicator.invalidate(oldKey);
            session.setStored(false);
            session.changeAll();
        }
    }

    // ------------------------------------------------------------- The end of sessions

    /** Expires what this node serves; forgets what another one serves now. */
    @Override
    public void processExpires() {
        long start = System.currentTimeMillis();
        for (Session session : findSessions()) {
            RelevoSession own = (RelevoSession) session;
            if (owns(own)) {
                own.isValid();
            } else if (!own.hasChanges()) {
                sessions.remove(own.getIdInternal(), own);
            }
        }
        processingTime += System.currentTimeMillis() - start;
    }

    @Override
    public void backgroundProcess() {
        super.backgroundProcess();
        for (Session session : findSessions()) {
            if (session.getIdleTimeInternal() > QUIET_MILLIS && !((RelevoSession) session).isInUse()) {
                commit((RelevoSession) session, false);
            }
        }
    }

    /** The session ended here, and its listeners have run. */
    void ended(RelevoSession session) {
        boolean locked = session.lock(LOCK_MILLIS);
        try {
            if (replicator != null && session.isStored()) {
                replicator.invalidate(session.key());
            }
        } finally {
            if (locked) {
                session.unlock();
            }
        }
    }

    /** The session ended on another node, where its listeners ran. */
    void endedElsewhere(SessionKey key) {
        forget((RelevoSession) sessions.get(key.id()));
    }

    /** Another node serves the session now. */
    void movedAway(SessionKey key) {
        RelevoSession session = (RelevoSession) sessions.get(key.id());
        if (session == null) {
            return;
        }
        // It may be back already: then what the other node did is missing here.
        session.setOutdated();
        if (!owns(session) && !session.hasChanges()) {
            sessions.remove(session.getIdInternal(), session);
        }
    }

    /** The session was idle too long, and its home is gone: its listeners are to run here. */
    void expiredHere(SessionKey key) throws IOException {
        Session session = findSession(key.id());
        if (session != null) {
            session.expire();
        }
    }

    /** Events were lost: looks at every session. */
    void checkAll() {
        for (Session session : findSessions()) {
            movedAway(((RelevoSession) session).key());
        }
    }

    private void forget(RelevoSession session) {
        if (session != null && sessions.remove(session.getIdInternal(), session)) {
            session.discard();
        }
    }

    /** A name that the cluster can keep: a longer one becomes its hash, the same on every node. */
    private static String fit(String name) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        if (bytes.length <= SessionKey.MAX_NAMESPACE) {
            return name;
        }
        try {
            StringBuilder digits = new StringBuilder();
            for (byte b : MessageDigest.getInstance("SHA-256").digest(bytes)) {
                digits.append(String.format("%02x", b));
            }
            return digits.toString();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
