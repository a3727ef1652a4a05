package org.relevo.tomcat;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

import org.apache.catalina.Engine;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.Manager;
import org.apache.catalina.Valve;
import org.apache.catalina.ha.CatalinaCluster;
import org.apache.catalina.ha.ClusterDeployer;
import org.apache.catalina.ha.ClusterListener;
import org.apache.catalina.ha.ClusterManager;
import org.apache.catalina.ha.ClusterMessage;
import org.apache.catalina.ha.authenticator.ClusterSingleSignOn;
import org.apache.catalina.ha.session.BackupManager;
import org.apache.catalina.ha.session.ClusterSessionListener;
import org.apache.catalina.ha.session.DeltaManager;
import org.apache.catalina.ha.session.JvmRouteBinderValve;
import org.apache.catalina.session.ManagerBase;
import org.apache.catalina.tribes.Channel;
import org.apache.catalina.tribes.Member;
import org.apache.catalina.tribes.group.GroupChannel;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import org.relevo.Ack;
import org.relevo.RelevoException;

/**
 * A {@link SessionCluster} that reads Tomcat's own Cluster block of server.xml (stands for Tomcat's {@code SimpleTcpCluster}):
 * takes all that Tomcat's digester hands to that one, so that its block works with this class name. The Tribes objects in it
 * are never started; they are asked for their settings. An attribute of the Cluster element says more than they do.
 *
 * <p>It is a {@link CatalinaCluster} because Tomcat's {@code ClusterSingleSignOn} refuses to start without one; its
 * messages go nowhere, since no channel is open.
 */
public class RelevoCluster extends SessionCluster implements CatalinaCluster {

    private static final Log log = LogFactory.getLog(RelevoCluster.class);

    private Channel channel = new GroupChannel();
    private ClusterManager managerTemplate = new DeltaManager();
    private ClusterDeployer deployer;
    private int startOptions = Channel.DEFAULT;

    private final List<ClusterListener> listeners = new ArrayList<>();

    /** The settings in server.xml that Relevo ignores. */
    private final Set<String> notServed = new LinkedHashSet<>();

    // ------------------------------------------------------------- Attributes of SimpleTcpCluster

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
            routeBinder().setEnabled(((JvmRouteBinderValve) valve).getEnabled());
            routeBinder().setSessionIdAttribute(((JvmRouteBinderValve) valve).getSessionIdAttribute());
        } else if (!takes(valve)) {
            notServed.add("Valve " + valve.getClass().getName());
        }
    }

    private void copy(org.apache.catalina.ha.tcp.ReplicationValve stock) {
        replication().setFilter(stock.getFilter());
        replication().setPrimaryIndicator(stock.isPrimaryIndicator());
        replication().setPrimaryIndicatorName(stock.getPrimaryIndicatorName());
        replication().setStatistics(stock.doStatistics());
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

    // ------------------------------------------------------------- What the block means

    @Override
    protected void startInternal() throws LifecycleException {
        super.startInternal();
        sayWhatIsNotServed();
    }

    private void sayWhatIsNotServed() {
        ManagerSettings.notServed(managerTemplate).forEach(each -> notServed.add("Manager " + each));
        Stream.concat(Stream.of(getContainer()), Stream.of(getContainer().findChildren()))
                .flatMap(container -> Stream.of(container.getPipeline().getValves()))
                .filter(ClusterSingleSignOn.class::isInstance)
                .forEach(valve -> notServed.add("Valve ClusterSingleSignOn: it signs on to this Tomcat alone"));
        for (String each : notServed) {
            log.warn("Relevo: not served: " + each);
        }
    }

    @Override
    NetworkSettings network() throws RelevoException {
        ChannelSettings settings = new ChannelSettings(channel, startOptions);
        NetworkSettings block = settings.network();
        notServed.addAll(settings.notServed());
        return super.network().orElse(block);
    }

    @Override
    Ack ack() {
        if (managerTemplate instanceof BackupManager) {
            return SendOptions.waits(((BackupManager) managerTemplate).getMapSendOptions()) ? Ack.ALL : Ack.NONE;
        }
        return super.ack();
    }

    @Override
    public ManagerBase createManager(String contextName) {
        ManagerBase manager = super.createManager(contextName);
        if (managerTemplate instanceof ManagerBase) {
            ManagerSettings.copy((ManagerBase) managerTemplate, manager);
        }
        if (manager instanceof RelevoManager) {
            ManagerSettings.copy(managerTemplate, (RelevoManager) manager);
        }
        return manager;
    }

    // ------------------------------------------------------------- Managers and members of Tribes

    /** Relevo's managers are no {@link ClusterManager}s. */
    @Override
    public Map<String, ClusterManager> getManagers() {
        return Map.of();
    }

    @Override
    public String getManagerName(String name, Manager manager) {
        boolean qualified = !(getContainer() instanceof Engine) || manager.getContext().getParent() == null;
        return qualified ? name : manager.getContext().getParent().getName() + "#" + manager.getContext().getName();
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
        send(message, destination, getChannelSendOptions());
    }

    /** Of {@link CatalinaCluster} too, from Tomcat 9.0 on. No channel is open. */
    public void send(ClusterMessage message, Member destination, int options) {
        // See above.
    }
}
