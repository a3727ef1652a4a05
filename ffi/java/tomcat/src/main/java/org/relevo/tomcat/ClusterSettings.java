package org.relevo.tomcat;

import java.nio.file.Path;

import org.apache.catalina.Cluster;
import org.apache.catalina.Container;
import org.apache.catalina.Context;
import org.apache.catalina.Engine;
import org.apache.catalina.util.LifecycleMBeanBase;
import org.apache.juli.logging.LogFactory;
import org.relevo.Ack;
import org.relevo.NodeOptions;
import org.relevo.RelevoException;

/**
 * The settings of a cluster, each an attribute of the Cluster element. Numbers are kept as they are written: a wrong one is
 * told in one line when the cluster starts.
 */
public abstract class ClusterSettings extends LifecycleMBeanBase implements Cluster {

    /** The largest value that can be sent. */
    private static final long MAX_VALUE = 4 << 20;

    /** The longest time for which changes may gather, in milliseconds. */
    private static final int LONGEST_GROUP = 1_000;

    private final NetworkSettings network = new NetworkSettings();

    private Container container;
    private String clusterName;
    private String name;
    private String seeds;
    private String backups;
    private String memory;
    private String maxValue;
    private String groupMillis;
    private String sessions;
    private boolean insecure;
    private long leaveTimeout = 60_000;
    private String keyFile;
    private String objectFilter;
    private String applicationJars;
    private String learn = "cluster";
    private int sendOptions = SendOptions.ASYNCHRONOUS;

    /** The text given for the send options, if it is not valid; null otherwise. */
    private String malformedSendOptions;

    // ------------------------------------------------------------- The element's place

    @Override
    public Container getContainer() {
        return container;
    }

    @Override
    public void setContainer(Container container) {
        this.container = container;
        if (container instanceof Context) {
            LogFactory.getLog(SessionCluster.class).warn("Relevo: the Cluster in context \"" + container.getName()
                    + "\" replicates nothing, since Tomcat never starts it there; put it into the Host or the Engine");
        }
    }

    Engine engine() {
        Container engine = container;
        while (!(engine instanceof Engine)) {
            engine = engine.getParent();
        }
        return (Engine) engine;
    }

    @Override
    protected String getDomainInternal() {
        return container == null ? null : container.getDomain();
    }

    @Override
    protected String getObjectNameKeyProperties() {
        return "type=Cluster" + (container == null ? "" : container.getMBeanKeyProperties());
    }

    // ------------------------------------------------------------- The cluster and its members

    /** @return the name of the cluster; nodes of other names are refused */
    @Override
    public String getClusterName() {
        return clusterName == null ? "relevo" : clusterName;
    }

    @Override
    public void setClusterName(String name) {
        clusterName = name;
    }

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

    /** @param address to bind and to announce; {@code auto} (default): what the host's name resolves to */
    public void setAddress(String address) {
        network.address = address;
    }

    /** @param port of UDP; default 4000 */
    public void setPort(String port) {
        network.port = port;
    }

    /** @param ports to try if one is taken, from {@code port} on; default 100 */
    public void setAutoBind(String ports) {
        network.autoBind = ports;
    }

    /** @param group of discovery, {@code address:port}, or {@code none}; default 228.0.0.4:45564 */
    public void setMulticast(String group) {
        network.multicast = group;
    }

    /** @param address of the interface that multicast uses */
    public void setBind(String address) {
        network.bind = address;
    }

    /** @param hops that multicast may travel */
    public void setTtl(String hops) {
        network.ttl = hops;
    }

    /** @param millis between two probes; default 500 */
    public void setFrequency(String millis) {
        network.frequency = millis;
    }

    /** @param millis from a crash to the member's removal; default 3000 */
    public void setDropTime(String millis) {
        network.dropTime = millis;
    }

    // ------------------------------------------------------------- Copies

    /** @return as in Tomcat: 8 doesn't wait for copies, 2 and 4 (and 6) wait for all of them */
    public int getChannelSendOptions() {
        return sendOptions;
    }

    /** @param options a sum of Tomcat's numbers; default 8 */
    public void setChannelSendOptions(int options) {
        sendOptions = options;
    }

    /** @param options a number or names, as in Tomcat */
    public void setChannelSendOptions(String options) {
        try {
            sendOptions = SendOptions.parse(options);
        } catch (IllegalArgumentException e) {
            malformedSendOptions = options;
        }
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

    /**
     * @param millis for which changes gather that no request waits for, while others are on their way; default 1;
     *         0: each is sent before its request is answered
     */
    public void setGroupMillis(String millis) {
        groupMillis = millis;
    }

    /** @param most sessions to hold, this Tomcat's and the copies of others'; default 65536 */
    public void setSessions(String most) {
        sessions = most;
    }

    // ------------------------------------------------------------- Who may take part, and what may become an object

    /** @param file with the cluster's key; default {@code conf/relevo.key} of this Tomcat */
    public void setKeyFile(String file) {
        keyFile = file;
    }

    /** @return whether to go without a key where others than this machine can listen */
    public boolean isInsecure() {
        return insecure;
    }

    /** @param allow to go without a key where others than this machine can listen; default no */
    public void setInsecure(boolean allow) {
        insecure = allow;
    }

    /** @return how long a stopping Tomcat may take to hand its sessions over, in milliseconds */
    public long getLeaveTimeout() {
        return leaveTimeout;
    }

    /** @param milliseconds that a stopping Tomcat may take to hand its sessions over; default 60,000 */
    public void setLeaveTimeout(long milliseconds) {
        leaveTimeout = milliseconds;
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

    // ------------------------------------------------------------- What they mean

    /** The network's settings; what another way of writing them says is added where these are silent. */
    NetworkSettings network() throws RelevoException {
        return network;
    }

    /** The settings that are no matter of the key. */
    final NodeOptions options() throws RelevoException {
        if (malformedSendOptions != null) {
            throw new RelevoException("channelSendOptions=\"" + malformedSendOptions + "\": no option of Tomcat's; write 8 or "
                    + "asynchronous, which doesn't wait for copies, or 6, which does");
        }
        NodeOptions options = new NodeOptions().cluster(getClusterName()).name(nodeName()).insecure(insecure);
        network().apply(options);
        if (seeds != null) {
            Seeds.add(seeds, options);
        }
        if (backups != null) {
            options.backups((int) Setting.number("backups", backups, Integer.MAX_VALUE));
        }
        if (memory != null) {
            options.memory(Setting.number("memory", memory, Long.MAX_VALUE));
        }
        if (maxValue != null) {
            options.maxValue(Setting.number("maxValue", maxValue, MAX_VALUE));
        }
        if (groupMillis != null) {
            options.groupMillis((int) Setting.number("groupMillis", groupMillis, LONGEST_GROUP));
        }
        if (sessions != null) {
            options.sessions((int) Setting.number("sessions", sessions, Integer.MAX_VALUE));
        }
        return options;
    }

    private String nodeName() {
        if (name != null) {
            return name;
        }
        String route = engine().getJvmRoute();
        return route == null ? "" : route;
    }

    /** The copies for which a commit waits. */
    Ack ack() {
        return SendOptions.waits(sendOptions) ? Ack.ALL : Ack.NONE;
    }

    final ClusterKey key() {
        Path base = engine().getCatalinaBase().toPath();
        String file = keyFile == null ? System.getenv(ClusterKey.FILE_VARIABLE) : base.resolve(keyFile).toString();
        return new ClusterKey(base, file, System.getenv(ClusterKey.VARIABLE));
    }

    final ObjectFilter newFilter() throws RelevoException {
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

    final boolean learnsLocally() {
        return learn.equals("local");
    }
}
