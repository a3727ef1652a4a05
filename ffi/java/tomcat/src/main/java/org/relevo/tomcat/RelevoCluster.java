package org.relevo.tomcat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

import org.apache.catalina.Container;
import org.apache.catalina.Context;
import org.apache.catalina.Engine;
import org.apache.catalina.Host;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.LifecycleState;
import org.apache.catalina.Manager;
import org.apache.catalina.Valve;
import org.apache.catalina.ha.ClusterManager;
import org.apache.catalina.ha.authenticator.ClusterSingleSignOn;
import org.apache.catalina.ha.session.BackupManager;
import org.apache.catalina.session.ManagerBase;
import org.apache.catalina.session.StandardManager;
import org.apache.catalina.tribes.Channel;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import org.relevo.Ack;
import org.relevo.Event;
import org.relevo.NativeNode;
import org.relevo.Node;
import org.relevo.NodeOptions;
import org.relevo.RelevoException;

/**
 * Keeps the sessions of this Tomcat alive on other nodes (stands for Tomcat's {@code SimpleTcpCluster}, whose block in
 * server.xml works with this class name). Belongs in an Engine or a Host.
 *
 * <p>A wrong setting, a port in use, a key that can't be read or a library that can't be loaded is one line in the log;
 * Tomcat starts all the same and serves its sessions alone.
 */
public class RelevoCluster extends ClusterElement {

    private static final Log log = LogFactory.getLog(RelevoCluster.class);

    /** How often events are taken; what they tell is also found out, later, without them. */
    private static final long EVENTS_MILLIS = 500;

    /** The largest value that can be sent. */
    private static final long MAX_VALUE = 4 << 20;

    /** A warning that comes again and again is told once in this time. */
    private static final long SAID_AGAIN_NANOS = TimeUnit.MINUTES.toNanos(10);

    /** How long a stopping Tomcat waits for others to take over. */
    private static final long LEAVE_MILLIS = 5_000;

    private final Map<String, RelevoManager> managers = new ConcurrentHashMap<>();

    private String name;
    private String seeds;
    private String backups;
    private String memory;
    private String maxValue;
    private String sessions;
    private boolean insecure;
    private String objectFilter;
    private String applicationJars;
    private String learn = "cluster";

    /** Contexts whose sessions stay on this node, which the log has named. */
    private final Set<String> namedContexts = ConcurrentHashMap.newKeySet();

    /** When each warning was told last; only the thread that takes events uses it. */
    private final Map<String, Long> warnings = new HashMap<>();

    private volatile ObjectFilter filter = new ObjectFilter(null);
    private volatile Node node;
    private volatile ClusterKey key;
    private volatile Replicator replicator;
    private ScheduledFuture<?> events;

    // ------------------------------------------------------------- Settings beside Tomcat's

    /** @return this node's name, unique in the cluster; by default the Engine's jvmRoute */
    public String getName() {
        return name;
    }

    /** @param name of this node, unique in the cluster */
    public void setName(String name) {
        this.name = name;
    }

    /** @return nodes to contact, {@code host:port,host:port}, beside those that multicast finds */
    public String getSeeds() {
        return seeds;
    }

    /** @param seeds nodes to contact, {@code host:port,host:port} */
    public void setSeeds(String seeds) {
        this.seeds = seeds;
    }

    /** @param copies to keep of each session beside the one in use, 0 to 7; default 1 */
    public void setBackups(String copies) {
        backups = copies;
    }

    /** @param bytes for sessions, this Tomcat's and the copies of others'; default 64 MiB */
    public void setMemory(String bytes) {
        memory = bytes;
    }

    /** @param bytes that the value of an attribute may have; default 1 MiB, at most 4 MiB and an eighth of memory */
    public void setMaxValue(String bytes) {
        maxValue = bytes;
    }

    /** @param most sessions to hold, this Tomcat's and the copies of others'; default 65536 */
    public void setSessions(String most) {
        sessions = most;
    }

    /** @return whether to go without a key where others than this machine can listen */
    public boolean isInsecure() {
        return insecure;
    }

    /** @param allow to go without a key where others than this machine can listen; default no */
    public void setInsecure(boolean allow) {
        insecure = allow;
    }

    /** @return which classes may become objects out of sessions' bytes, beside those that may by default */
    public String getObjectFilter() {
        return objectFilter;
    }

    /** @param pattern in the language of {@code jdk.serialFilter}; where it is silent, the default decides */
    public void setObjectFilter(String pattern) {
        objectFilter = pattern;
    }

    /** @param jars names of libraries that are the applications' own, {@code shop-*.jar,catalogue.jar}; default none */
    public void setApplicationJars(String jars) {
        applicationJars = jars;
    }

    /** @param where {@code cluster} (default): what an application writes into sessions anywhere, it reads everywhere;
     *        {@code local}: what it wrote on this node, it reads on this node */
    public void setLearn(String where) {
        learn = where;
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
            events = Container.getService(getContainer()).getServer().getUtilityExecutor().scheduleWithFixedDelay(
                    this::takeEvents, EVENTS_MILLIS, EVENTS_MILLIS, TimeUnit.MILLISECONDS);
        }
        sayWhatIsNotServed();
        setState(LifecycleState.STARTING);
    }

    private void sayWhatIsNotServed() {
        ManagerSettings.notServed(getManagerTemplate()).forEach(each -> addNotServed("Manager " + each));
        Stream.concat(Stream.of(getContainer()), Stream.of(getContainer().findChildren()))
                .flatMap(container -> Stream.of(container.getPipeline().getValves()))
                .filter(ClusterSingleSignOn.class::isInstance)
                .forEach(valve -> addNotServed("Valve ClusterSingleSignOn: it signs on to this Tomcat alone"));
        for (String each : notServed()) {
            log.warn("Relevo: not served: " + each);
        }
    }

    /** The node, or null and one line in the log that says what was wrong and what to do. */
    private Node openOrExplain() {
        try {
            NodeOptions options = options();
            Node opened = open(options);
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

    private NodeOptions options() throws RelevoException {
        if (malformed() != null) {
            throw new RelevoException(malformed());
        }
        filter = newFilter();
        Path base = engine().getCatalinaBase().toPath();
        NodeOptions options = new NodeOptions().cluster(getClusterName()).name(nodeName()).insecure(insecure);
        new ChannelSettings(getChannel(), getChannelStartOptions()).apply(options).forEach(this::addNotServed);
        Seeds.add(seeds, options);
        if (backups != null) {
            options.backups((int) number("backups", backups, Integer.MAX_VALUE));
        }
        if (memory != null) {
            options.memory(number("memory", memory, Long.MAX_VALUE));
        }
        if (maxValue != null) {
            options.maxValue(number("maxValue", maxValue, MAX_VALUE));
        }
        if (sessions != null) {
            options.sessions((int) number("sessions", sessions, Integer.MAX_VALUE));
        }
        key = new ClusterKey(base, System.getenv(ClusterKey.FILE_VARIABLE), System.getenv(ClusterKey.VARIABLE));
        key.apply(options);
        if (options.isOpenToAnybody()) {
            throw new RelevoException("there is no cluster key, and others can reach the Receiver's address; "
                    + key.cure() + ", or allow insecure=\"true\" on the Cluster");
        }
        return options;
    }

    private ObjectFilter newFilter() throws RelevoException {
        if (!learn.equals("cluster") && !learn.equals("local")) {
            throw new RelevoException("learn=\"" + learn + "\": neither cluster nor local; correct it on the Cluster");
        }
        try {
            return new ObjectFilter(objectFilter, applicationJars);
        } catch (IllegalArgumentException e) {
            throw new RelevoException("objectFilter=\"" + objectFilter + "\": " + e.getMessage()
                    + "; correct it on the Cluster, in the language of jdk.serialFilter");
        }
    }

    ObjectFilter filter() {
        return filter;
    }

    boolean learnsLocally() {
        return learn.equals("local");
    }

    /** Read late: what the digester can't convert, it leaves at its default with a line of its own. */
    private static long number(String setting, String digits, long most) throws RelevoException {
        try {
            long number = Long.parseLong(digits.strip());
            if (number >= 0 && number <= most) {
                return number;
            }
        } catch (NumberFormatException e) {
            // Told below.
        }
        throw new RelevoException(setting + "=\"" + digits + "\": not a number from 0 to " + most
                + "; correct it on the Cluster");
    }

    private String nodeName() {
        if (name != null) {
            return name;
        }
        String route = engine().getJvmRoute();
        return route == null ? "" : route;
    }

    private Engine engine() {
        Container container = getContainer();
        while (!(container instanceof Engine)) {
            container = container.getParent();
        }
        return (Engine) container;
    }

    /** Tomcat's asynchronous sending returns at once, whatever else is asked for. */
    private Ack ack() {
        ClusterManager template = getManagerTemplate();
        int options = template instanceof BackupManager ? ((BackupManager) template).getMapSendOptions()
                : getChannelSendOptions();
        boolean waits = (options & (Channel.SEND_OPTIONS_USE_ACK | Channel.SEND_OPTIONS_SYNCHRONIZED_ACK)) != 0;
        return waits && (options & Channel.SEND_OPTIONS_ASYNCHRONOUS) == 0 ? Ack.ALL : Ack.NONE;
    }

    @Override
    protected void stopInternal() throws LifecycleException {
        setState(LifecycleState.STOPPING);
        if (events != null) {
            events.cancel(false);
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

    private static void leave(Node node) {
        try (node) {
            if (!node.leave(LEAVE_MILLIS)) {
                log.warn("Relevo: left without hearing from the others");
            }
        } catch (RelevoException e) {
            log.warn("Relevo: left without a word: " + e.getMessage());
        }
    }

    // ------------------------------------------------------------- Managers

    @Override
    public Manager createManager(String contextName) {
        ClusterManager template = getManagerTemplate();
        ManagerBase manager = node == null ? new StandardManager() : new RelevoManager();
        if (template instanceof ManagerBase) {
            ManagerSettings.copy((ManagerBase) template, manager);
        }
        if (manager instanceof RelevoManager) {
            ManagerSettings.copy(template, (RelevoManager) manager);
            ((RelevoManager) manager).setCluster(this);
        }
        return manager;
    }

    @Override
    public Manager getManager(String managerName) {
        return managers.get(managerName);
    }

    /** What managers ask; null if sessions are not replicated. */
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

    /** Nothing may escape: Tomcat's executor would never call again. */
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
        return "RelevoCluster[" + getClusterName() + "]";
    }
}
