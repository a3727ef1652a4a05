package org.relevo.tomcat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;

import org.apache.catalina.Cluster;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.LifecycleState;
import org.apache.catalina.Session;
import org.apache.catalina.session.ManagerBase;
import org.apache.catalina.session.StandardSession;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import org.relevo.SessionKey;

/**
 * The sessions of one application (stands for Tomcat's {@code DeltaManager} and {@code BackupManager}).
 *
 * <p>Holds the sessions that this node serves as objects. A session that another node served is fetched when a request
 * brings its id, and an object is forgotten when its session has moved on. Without a node (see {@link SessionCluster})
 * it is a manager of local sessions.
 */
public class RelevoManager extends ManagerBase {

    private static final Log log = LogFactory.getLog(RelevoManager.class);

    /** If a session without a request was idle for so long, its pending changes came from outside a request, such as a WebSocket. */
    private static final long QUIET_MILLIS = 10_000;

    private final AtomicLong arrived = new AtomicLong();

    /** The settings of a cluster that the Manager element has, for a Host that has no Cluster element. */
    private final ManagerCluster ownCluster = new ManagerCluster();

    private SessionCluster cluster;
    private volatile UsePolicy uses = UsePolicy.of(this);
    private volatile Replicator replicator;
    private volatile Lives lives;
    private Values values;
    private String namespace;
    private boolean expireSessionsOnShutdown;

    /** For {@link SessionCluster#createManager}, and for the Manager element of a context.xml. */
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

    /**
     * Takes every setting that the Cluster element has, for a Host without one; Tomcat's digester asks here for names
     * that aren't settings of a manager.
     *
     * @param name the name of an attribute of the Cluster element
     * @param value its value
     * @return whether there is such an attribute
     */
    public boolean setProperty(String name, String value) {
        return ownCluster.set(name, value);
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
        return values == null ? 0 : values.dropped();
    }

    /** @return attributes whose classes or sizes the filter refused since the start; see the Cluster's objectFilter */
    public long getRefusedAttributes() {
        return values == null ? 0 : values.refused();
    }

    /** @return values that can't travel since the start, each counted when it was written; the log names them */
    public long getLeftOutAttributes() {
        return values == null ? 0 : values.leftOut();
    }

    /** @return changes that fewer nodes confirmed in time than were asked for, of all applications */
    public long getUnconfirmedChanges() {
        return replicator == null ? 0 : replicator.unconfirmed();
    }

    void setCluster(SessionCluster cluster) {
        this.cluster = cluster;
    }

    // ------------------------------------------------------------- Start and stop

    @Override
    protected void startInternal() throws LifecycleException {
        namespace = fit(getName());
        uses = UsePolicy.of(this);
        Cluster found = cluster == null ? ownCluster.of(getContext()) : cluster;
        cluster = found instanceof SessionCluster ? (SessionCluster) found : null;
        joinCluster();
        super.startInternal();
        setState(LifecycleState.STARTING);
    }

    private void joinCluster() {
        replicator = cluster == null ? null : cluster.replicator();
        ObjectFilter filter = cluster == null ? new ObjectFilter(null) : cluster.filter();
        AttributeCodec codec = cluster == null || cluster.learnsLocally() ? new AttributeCodec(getContext(), filter)
                : new AttributeCodec(getContext(), filter, new LearnedClasses(namespace, () -> replicator));
        values = new Values(codec, replicator == null ? Integer.MAX_VALUE : replicator.maxValue());
        if (replicator == null) {
            log.warn("Relevo: the sessions of " + getName() + " are served by this Tomcat alone");
            return;
        }
        lives = new Lives(this, replicator);
        // Last: its events may ask for sessions at once.
        cluster.join(namespace, this);
    }

    /** Leaves the sessions to the other nodes, which have copies, unless they are to end. */
    @Override
    protected void stopInternal() throws LifecycleException {
        setState(LifecycleState.STOPPING);
        for (RelevoSession session : objects()) {
            if (expireSessionsOnShutdown && isHere(session)) {
                session.expire();
            } else {
                handOver(session);
            }
        }
        sessions.clear();
        if (cluster != null) {
            cluster.part(namespace, this);
        }
        if (lives != null) {
            lives.forgetAll();
        }
        // Requests that outlast their application still commit: the node is there until the cluster stops.
        super.stopInternal();
    }

    private void handOver(RelevoSession session) {
        if (isHere(session)) {
            session.passivate();
        }
        commit(session, false);
    }

    /** All objects of sessions that somebody may use, also of those that another node serves. */
    private List<RelevoSession> objects() {
        if (lives != null) {
            return lives.all();
        }
        return Arrays.stream(findSessions()).map(RelevoSession.class::cast).collect(Collectors.toList());
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
        if (lives == null) {
            return sessions.get(id);
        }
        return SessionKey.isId(Route.key(id)) ? lives.find(Route.with(id, getJvmRoute())) : null;
    }

    /** Whether this node serves the session; one that was never committed is known to nobody else. */
    boolean isHere(RelevoSession session) {
        return lives == null || lives.isHere(session);
    }

    /** Whether a session of this id is served here already. */
    boolean isPrimary(String id) {
        RelevoSession session = (RelevoSession) sessions.get(id);
        return session != null && isHere(session);
    }

    /** The object is found by its id from now on. */
    void publish(RelevoSession session) {
        if (sessions.get(session.getIdInternal()) != session) {
            add(session);
        }
    }

    /** The object isn't needed to find the session. */
    void withdraw(RelevoSession session) {
        if (session.getIdInternal() != null) {
            sessions.remove(session.getIdInternal(), session);
        }
    }

    /** A session got an id, or another one. */
    void known(String oldId, String id, RelevoSession session) {
        if (lives != null) {
            lives.known(oldId == null ? null : Route.key(oldId), Route.key(id), session);
        }
    }

    void arrived() {
        arrived.incrementAndGet();
    }

    UsePolicy uses() {
        return uses;
    }

    Values values() {
        return values;
    }

    SessionKey keyOf(String id) {
        return new SessionKey(namespace, Route.key(id));
    }

    // ------------------------------------------------------------- After a request

    /** Sends what a request changed, or notes that the session was used. */
    void requestCompleted(RelevoSession session) {
        if (session.hasChanges()) {
            commit(session, true);
        } else if (lives != null) {
            lives.touch(session);
        }
    }

    /** Commits the remaining changes when a request is recycled: an asynchronous one, or one that the valve's filter excludes. */
    void requestEnded(RelevoSession session) {
        commit(session, false);
    }

    private void commit(RelevoSession session, boolean wait) {
        if (lives != null) {
            lives.commit(session, wait);
        }
    }

    /** Something changed in an object; nobody may hold it if another node serves its session. */
    void changed(RelevoSession session) {
        if (lives != null && session.life().isAway()) {
            lives.changedAway(session);
        }
    }

    // ------------------------------------------------------------- New ids

    @Override
    protected void changeSessionId(Session session, String newId, boolean notifySessionListeners,
            boolean notifyContainerListeners) {
        String oldId = session.getIdInternal();
        if (lives == null) {
            session.setId(newId, false);
        } else {
            lives.rename((RelevoSession) session, newId);
        }
        session.tellChangedSessionId(newId, oldId, notifySessionListeners, notifyContainerListeners);
    }

    // ------------------------------------------------------------- The end of sessions

    /** Expires what this node serves; forgets what another one serves now. */
    @Override
    public void processExpires() {
        long start = System.currentTimeMillis();
        for (RelevoSession session : objects()) {
            if (isHere(session)) {
                session.isValid();
            } else {
                lives.review(session);
            }
        }
        processingTime += System.currentTimeMillis() - start;
    }

    @Override
    public void backgroundProcess() {
        super.backgroundProcess();
        for (RelevoSession session : objects()) {
            if (session.getIdleTimeInternal() > QUIET_MILLIS && !session.isInUse()) {
                commit(session, false);
            }
        }
    }

    /** Whether the listeners of a session that was idle for too long are to run here, now. */
    boolean claimExpired(RelevoSession session) {
        return lives == null || lives.claimExpired(session);
    }

    /** The session ended here, and its listeners have run. */
    void ended(RelevoSession session) {
        if (lives != null) {
            lives.ended(session);
        }
    }

    /** The session ended on another node, where its listeners ran. */
    void endedElsewhere(SessionKey key) {
        lives.endedElsewhere(key);
    }

    /** Another node serves the session now. */
    void movedAway(SessionKey key) {
        RelevoSession session = (RelevoSession) sessions.get(key.id());
        if (session != null) {
            lives.review(session);
        }
    }

    /** The session was idle too long, and its primary is gone: its listeners are to run here. */
    void expiredHere(SessionKey key) throws IOException {
        Session session = findSession(key.id());
        if (session != null) {
            session.isValid();
        }
    }

    /** Events were lost: looks at every session. */
    void checkAll() {
        objects().forEach(lives::review);
    }

    /** After events: what one of them asked for may have had to wait. */
    void afterEvents() {
        lives.tellUntold();
    }

    /** A name that the cluster can keep: a longer one becomes its hash, the same on every node. */
    private static String fit(String name) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        if (bytes.length <= SessionKey.MAX_NAMESPACE) {
            return name;
        }
        return Hash.of(name);
    }
}
