package org.relevo.tomcat;

import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

import org.apache.catalina.Container;
import org.apache.catalina.Context;
import org.apache.catalina.Host;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.LifecycleState;
import org.apache.catalina.Manager;
import org.apache.catalina.Valve;
import org.apache.catalina.session.ManagerBase;
import org.apache.catalina.session.StandardManager;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import org.relevo.Event;
import org.relevo.NativeNode;
import org.relevo.Node;
import org.relevo.NodeOptions;
import org.relevo.RelevoException;

/**
 * Keeps the sessions of this Tomcat alive on other nodes. Belongs in an Engine or a Host. Its settings are attributes of the
 * Cluster element, or are set by a program that embeds Tomcat; it needs nothing of Tomcat's own cluster, which
 * {@link RelevoCluster} adds.
 *
 * <p>A wrong setting, a port in use, a key that can't be read or a library that can't be loaded is one line in the log;
 * Tomcat starts all the same and serves its sessions alone.
 */
public class SessionCluster extends ClusterSettings {

    private static final Log log = LogFactory.getLog(SessionCluster.class);

    /** How often events are taken; what they tell is also found out, later, without them. */
    private static final long EVENTS_MILLIS = 500;

    /** A warning that comes again and again is told once in this time. */
    private static final long SAID_AGAIN_NANOS = TimeUnit.MINUTES.toNanos(10);

    private final Map<String, RelevoManager> managers = new ConcurrentHashMap<>();

    private RouteBinderValve routeBinder = new RouteBinderValve();
    private ReplicationValve replication = new ReplicationValve();

    /** Contexts whose sessions stay on this node, which the log has named. */
    private final Set<String> namedContexts = ConcurrentHashMap.newKeySet();

    /** When each warning was told last; only the thread that takes events uses it. */
    private final Map<String, Long> warnings = new HashMap<>();

    private volatile ObjectFilter filter = new ObjectFilter(null);
    private volatile Node node;
    private volatile ClusterKey key;
    private volatile Replicator replicator;
    private ScheduledExecutorService events;

    // ------------------------------------------------------------- Valves

    /** Takes one of Relevo's own valves in place of the one with default settings; another one isn't served. */
    public void addValve(Valve valve) {
        if (!takes(valve)) {
            log.warn("Relevo: not served: Valve " + valve.getClass().getName());
        }
    }

    final boolean takes(Valve valve) {
        if (valve instanceof ReplicationValve) {
            replication = (ReplicationValve) valve;
        } else if (valve instanceof RouteBinderValve) {
            routeBinder = (RouteBinderValve) valve;
        } else {
            return false;
        }
        return true;
    }

    final ReplicationValve replication() {
        return replication;
    }

    final RouteBinderValve routeBinder() {
        return routeBinder;
    }

    /** @return Relevo's valves, in the order in which they see a request */
    public Valve[] getValves() {
        return new Valve[] { routeBinder, replication };
    }

    // ------------------------------------------------------------- What a node says, for JMX

    /** @return whether sessions are replicated; the log says why not */
    public boolean isReplicating() {
        return node != null;
    }

    /** @return the nodes of the cluster, a line each */
    public String[] getNodes() {
        return lines(Node::members);
    }

    /** @return this node's counts, a line each */
    public String[] getStatus() {
        return lines(Node::status);
    }

    private interface Question {
        List<String> ask(Node node) throws RelevoException;
    }

    /** @return attributes of all applications that were refused here; the log names their classes */
    public long getRefusedAttributes() {
        return managers.values().stream().mapToLong(RelevoManager::getRefusedAttributes).sum();
    }

    private String[] lines(Question question) {
        try {
            Node asked = node;
            return asked == null ? new String[0] : question.ask(asked).toArray(new String[0]);
        } catch (RelevoException e) {
            return new String[] { e.getMessage() };
        }
    }

    // ------------------------------------------------------------- Start and stop

    @Override
    protected void startInternal() throws LifecycleException {
        node = openOrExplain();
        if (node != null) {
            for (Valve valve : getValves()) {
                getContainer().getPipeline().addValve(valve);
            }
            // Tomcat has such threads itself, but 8.5 doesn't lend them.
            events = Executors.newSingleThreadScheduledExecutor(SessionCluster::eventThread);
            events.scheduleWithFixedDelay(this::takeEvents, EVENTS_MILLIS, EVENTS_MILLIS, TimeUnit.MILLISECONDS);
        }
        setState(LifecycleState.STARTING);
    }

    private static Thread eventThread(Runnable task) {
        Thread thread = new Thread(task, "relevo-events");
        thread.setDaemon(true);
        return thread;
    }

    /** The node, or null and one line in the log that says what was wrong and what to do. */
    private Node openOrExplain() {
        try {
            Node opened = open(optionsWithKey());
            replicator = new Replicator(opened, ack());
            log.info("Relevo: cluster " + getClusterName() + ", this node is " + opened.address());
            return opened;
        } catch (RelevoException | IllegalArgumentException e) {
            log.error("Relevo: sessions are served by this Tomcat alone: " + e.getMessage());
        } catch (RuntimeException | LinkageError e) {
            log.error("Relevo: sessions are served by this Tomcat alone: " + e);
        }
        return null;
    }

    /** Opens the node; tests put another one in its place. */
    protected Node open(NodeOptions options) throws RelevoException {
        return NativeNode.open(options);
    }

    private NodeOptions optionsWithKey() throws RelevoException {
        filter = newFilter();
        NodeOptions options = options();
        key = key();
        key.apply(options);
        if (options.isOpenToAnybody()) {
            throw new RelevoException("there is no cluster key, and others can reach this node's address; "
                    + key.cure() + ", or allow insecure=\"true\" on the Cluster");
        }
        return options;
    }

    ObjectFilter filter() {
        return filter;
    }

    @Override
    protected void stopInternal() throws LifecycleException {
        setState(LifecycleState.STOPPING);
        if (events != null) {
            events.shutdown();
            events = null;
        }
        for (Valve valve : getValves()) {
            getContainer().getPipeline().removeValve(valve);
        }
        replicator = null;
        Node left = node;
        node = null;
        if (left != null) {
            leave(left);
        }
    }

    private void leave(Node node) {
        try (node) {
            if (!node.leave(getLeaveTimeout())) {
                log.error("Relevo: left before others had confirmed all sessions of this Tomcat; leaveTimeout=\""
                        + getLeaveTimeout() + "\" is the time in milliseconds that it may take");
            }
        } catch (RelevoException e) {
            log.warn("Relevo: left without a word: " + e.getMessage());
        }
    }

    // ------------------------------------------------------------- Managers

    @Override
    public ManagerBase createManager(String contextName) {
        if (node == null) {
            return new StandardManager();
        }
        RelevoManager manager = new RelevoManager();
        manager.setCluster(this);
        return manager;
    }

    /** @return the manager of this name, {@code host#context}, that replicates; or null */
    public Manager getManager(String managerName) {
        return managers.get(managerName);
    }

    @Override
    public void registerManager(Manager manager) {
        // What isn't one of Relevo's is found here, whenever it comes.
    }

    @Override
    public void removeManager(Manager manager) {
        // A RelevoManager parts by itself.
    }

    /** The replicator for managers; null if sessions are not replicated. */
    Replicator replicator() {
        return replicator;
    }

    /** A manager starts: events of its namespace go to it. */
    void join(String namespace, RelevoManager manager) {
        managers.put(namespace, manager);
    }

    void part(String namespace, RelevoManager manager) {
        managers.remove(namespace, manager);
    }

    // ------------------------------------------------------------- Events

    /** Nothing may escape: the executor would never call again. */
    private void takeEvents() {
        Node asked = node;
        if (asked == null) {
            return;
        }
        try {
            asked.events().forEach(this::takeOrSay);
            managers.values().forEach(RelevoManager::afterEvents);
        } catch (RelevoException | RuntimeException e) {
            log.warn("Relevo: events", e);
        }
    }

    /** One that fails must not take the others with it. */
    private void takeOrSay(Event event) {
        try {
            take(event);
        } catch (IOException | RuntimeException e) {
            log.warn("Relevo: event " + event, e);
        }
    }

    private void take(Event event) throws IOException {
        log.debug(event);
        if (event.session() != null) {
            RelevoManager manager = managers.get(event.session().namespace());
            if (manager != null) {
                take(event, manager);
            }
            return;
        }
        switch (event.kind()) {
            case RESYNC:
                managers.values().forEach(RelevoManager::checkAll);
                break;
            case WARNING:
                warn(event.text());
                break;
            default:
                log.info("Relevo: " + event.text());
                break;
        }
    }

    private void warn(String text) {
        long now = System.nanoTime();
        Long before = warnings.get(text);
        if (before == null || now - before >= SAID_AGAIN_NANOS) {
            warnings.put(text, now);
            log.warn("Relevo: " + text);
        }
    }

    private static void take(Event event, RelevoManager manager) throws IOException {
        switch (event.kind()) {
            case INVALIDATED:
                manager.endedElsewhere(event.session());
                break;
            case MOVED:
                manager.movedAway(event.session());
                break;
            case EXPIRED:
                manager.expiredHere(event.session());
                break;
            default:
                // A conflict or an unanswered question is news for the debug log alone.
                break;
        }
    }

    @Override
    public void backgroundProcess() {
        fireLifecycleEvent(PERIODIC_EVENT, null);
        nameContexts();
        reloadKeys();
    }

    /** Contexts come at any time; those whose sessions stay on this node are named when they are found. */
    private void nameContexts() {
        if (node == null) {
            return;
        }
        Container[] hosts = getContainer() instanceof Host ? new Container[] { getContainer() } : getContainer().findChildren();
        for (Container host : hosts) {
            for (Container context : host.findChildren()) {
                String why = context.getState().isAvailable() ? UnreplicatedContext.why((Context) context) : null;
                if (why != null && namedContexts.add(host.getName() + context.getName() + why)) {
                    log.warn("Relevo: the sessions of context \"" + context.getName() + "\" of " + host.getName()
                            + " are not replicated: " + why);
                }
            }
        }
    }

    /** A changed key file takes effect without a restart: that is how a cluster changes its key. */
    private void reloadKeys() {
        if (node == null) {
            return;
        }
        try {
            List<String> keys = key.reload(node);
            if (keys != null) {
                log.info("Relevo: keys: seals with " + keys.get(0) + ", opens with " + String.join(", ", keys));
            }
        } catch (RelevoException e) {
            log.warn("Relevo: the keys stay as they are: " + e.getMessage());
        }
    }

    @Override
    public String toString() {
        return getClass().getSimpleName() + "[" + getClusterName() + "]";
    }
}
