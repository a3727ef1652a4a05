package org.relevo.tomcat;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

import org.apache.catalina.Container;
import org.apache.catalina.Context;
import org.apache.catalina.Engine;
import org.apache.catalina.Manager;
import org.apache.catalina.Valve;
import org.apache.catalina.ha.CatalinaCluster;
import org.apache.catalina.ha.ClusterDeployer;
import org.apache.catalina.ha.ClusterListener;
import org.apache.catalina.ha.ClusterManager;
import org.apache.catalina.ha.ClusterMessage;
import org.apache.catalina.ha.session.ClusterSessionListener;
import org.apache.catalina.ha.session.DeltaManager;
import org.apache.catalina.ha.session.JvmRouteBinderValve;
import org.apache.catalina.tribes.Channel;
import org.apache.catalina.tribes.Member;
import org.apache.catalina.tribes.group.GroupChannel;
import org.apache.catalina.util.LifecycleMBeanBase;
import org.apache.juli.logging.LogFactory;

/**
 * The Cluster element of server.xml: takes all that Tomcat's digester hands to a {@code SimpleTcpCluster}, so that its
 * block works with another class name. The Tribes objects in it are never started; they are asked for their settings.
 *
 * <p>It is a {@link CatalinaCluster} because Tomcat's {@code ClusterSingleSignOn} refuses to start without one; its
 * messages go nowhere, since no channel is open.
 */
public abstract class ClusterElement extends LifecycleMBeanBase implements CatalinaCluster {

    private Container container;
    private String clusterName;
    private Channel channel = new GroupChannel();
    private ClusterManager managerTemplate = new DeltaManager();
    private ClusterDeployer deployer;
    private int sendOptions = Channel.SEND_OPTIONS_ASYNCHRONOUS;
    private int startOptions = Channel.DEFAULT;

    private final List<ClusterListener> listeners = new ArrayList<>();
    private RouteBinderValve routeBinder = new RouteBinderValve();
    private ReplicationValve replication = new ReplicationValve();

    /** What the cluster can't start with, in words; null: nothing yet. */
    private String malformed;

    /** What stands in server.xml in vain. */
    private final Set<String> notServed = new LinkedHashSet<>();

    // ------------------------------------------------------------- Attributes of SimpleTcpCluster

    @Override
    public Container getContainer() {
        return container;
    }

    @Override
    public void setContainer(Container container) {
        this.container = container;
        if (container instanceof Context) {
            LogFactory.getLog(RelevoCluster.class).warn("Relevo: the Cluster in context \"" + container.getName()
                    + "\" replicates nothing, since Tomcat never starts it there; put it into the Host or the Engine");
        }
    }

    /** @return the name of the cluster; nodes of other names are refused */
    @Override
    public String getClusterName() {
        return clusterName == null ? "relevo" : clusterName;
    }

    @Override
    public void setClusterName(String name) {
        clusterName = name;
    }

    /** @return as in Tomcat: 8 doesn't wait for copies, 2 and 4 (and 6) wait for all of them */
    public int getChannelSendOptions() {
        return sendOptions;
    }

    /** @param options a sum of Tomcat's numbers */
    public void setChannelSendOptions(int options) {
        sendOptions = options;
    }

    /** @param options a number or names, as in Tomcat */
    public void setChannelSendOptions(String options) {
        try {
            sendOptions = Channel.parseSendOptions(options);
        } catch (IllegalArgumentException e) {
            malformed = "channelSendOptions=\"" + options + "\": no option of Tomcat's; write 8 or asynchronous, which "
                    + "doesn't wait for copies, or 6, which does";
        }
    }

    /** @return as in Tomcat: without 4 and 8 (3, say) there is no multicast */
    public int getChannelStartOptions() {
        return startOptions;
    }

    /** @param options a sum of Tomcat's numbers */
    public void setChannelStartOptions(int options) {
        startOptions = options;
    }

    /** @param enabled accepted; a Relevo node keeps its own time */
    public void setHeartbeatBackgroundEnabled(boolean enabled) {
        // Nothing to do.
    }

    /** @param notify accepted; failures are in the log */
    public void setNotifyLifecycleListenerOnFailure(boolean notify) {
        if (notify) {
            notServed.add("Cluster notifyLifecycleListenerOnFailure");
        }
    }

    // ------------------------------------------------------------- Elements of SimpleTcpCluster

    @Override
    public Channel getChannel() {
        return channel;
    }

    @Override
    public void setChannel(Channel channel) {
        this.channel = channel;
    }

    /** @return the Manager element, or a {@code DeltaManager} with its defaults */
    public ClusterManager getManagerTemplate() {
        return managerTemplate;
    }

    /** @param template the Manager element, of which the settings are taken */
    public void setManagerTemplate(ClusterManager template) {
        managerTemplate = template;
    }

    /** Takes the settings of Tomcat's two valves for Relevo's own, which stand in their places. */
    @Override
    public void addValve(Valve valve) {
        if (valve instanceof org.apache.catalina.ha.tcp.ReplicationValve) {
            copy((org.apache.catalina.ha.tcp.ReplicationValve) valve);
        } else if (valve instanceof JvmRouteBinderValve) {
            routeBinder.setEnabled(((JvmRouteBinderValve) valve).getEnabled());
            routeBinder.setSessionIdAttribute(((JvmRouteBinderValve) valve).getSessionIdAttribute());
        } else if (valve instanceof ReplicationValve) {
            replication = (ReplicationValve) valve;
        } else if (valve instanceof RouteBinderValve) {
            routeBinder = (RouteBinderValve) valve;
        } else {
            notServed.add("Valve " + valve.getClass().getName());
        }
    }

    private void copy(org.apache.catalina.ha.tcp.ReplicationValve stock) {
        replication.setFilter(stock.getFilter());
        replication.setPrimaryIndicator(stock.isPrimaryIndicator());
        replication.setPrimaryIndicatorName(stock.getPrimaryIndicatorName());
        replication.setStatistics(stock.doStatistics());
    }

    /** In the order in which they are to see a request. */
    @Override
    public Valve[] getValves() {
        return new Valve[] { routeBinder, replication };
    }

    @Override
    public ClusterDeployer getClusterDeployer() {
        return deployer;
    }

    @Override
    public void setClusterDeployer(ClusterDeployer deployer) {
        this.deployer = deployer;
        notServed.add("Deployer " + deployer.getClass().getName() + ": deploy applications to each Tomcat");
    }

    @Override
    public void addClusterListener(ClusterListener listener) {
        listeners.add(listener);
        if (!(listener instanceof ClusterSessionListener)) {
            notServed.add("ClusterListener " + listener.getClass().getName());
        }
    }

    @Override
    public void removeClusterListener(ClusterListener listener) {
        listeners.remove(listener);
    }

    /** Notes what stands in server.xml in vain, to be said once. */
    void addNotServed(String what) {
        notServed.add(what);
    }

    /** What the cluster can't start with; null if there is nothing. */
    String malformed() {
        return malformed;
    }

    Set<String> notServed() {
        return notServed;
    }

    // ------------------------------------------------------------- Managers and members of Tribes

    /** Relevo's managers are no {@link ClusterManager}s. */
    @Override
    public Map<String, ClusterManager> getManagers() {
        return Map.of();
    }

    @Override
    public String getManagerName(String name, Manager manager) {
        boolean qualified = !(container instanceof Engine) || manager.getContext().getParent() == null;
        return qualified ? name : manager.getContext().getParent().getName() + "#" + manager.getContext().getName();
    }

    @Override
    public void registerManager(Manager manager) {
        // What isn't one of Relevo's is found by RelevoCluster, whenever it comes.
    }

    @Override
    public void removeManager(Manager manager) {
        // A RelevoManager parts by itself.
    }

    @Override
    public Member[] getMembers() {
        return new Member[0];
    }

    @Override
    public Member getLocalMember() {
        return null;
    }

    @Override
    public boolean hasMembers() {
        return false;
    }

    @Override
    public void send(ClusterMessage message) {
        send(message, null);
    }

    @Override
    public void send(ClusterMessage message, Member destination) {
        send(message, destination, sendOptions);
    }

    @Override
    public void send(ClusterMessage message, Member destination, int options) {
        // No channel is open.
    }

    // ------------------------------------------------------------- JMX, as SimpleTcpCluster has it

    @Override
    protected String getDomainInternal() {
        return container == null ? null : container.getDomain();
    }

    @Override
    protected String getObjectNameKeyProperties() {
        return "type=Cluster" + (container == null ? "" : container.getMBeanKeyProperties());
    }
}
