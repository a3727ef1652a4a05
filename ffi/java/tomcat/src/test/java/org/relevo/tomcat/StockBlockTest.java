package org.relevo.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;

import org.apache.catalina.Container;
import org.apache.catalina.Engine;
import org.apache.catalina.core.StandardContext;
import org.apache.catalina.startup.Catalina;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tomcat's own block in server.xml, read by Tomcat, with another class name. */
class StockBlockTest {

    @TempDir
    static Path base;

    private Catalina catalina;

    @AfterEach
    void stop() {
        if (catalina != null) {
            catalina.stop();
        }
    }

    private TestCluster start(String cluster, boolean inHost) throws Exception {
        String block = cluster.replace("org.apache.catalina.ha.tcp.SimpleTcpCluster", TestCluster.class.getName());
        Files.createDirectories(base.resolve("conf"));
        Files.createDirectories(base.resolve("webapps"));
        Path xml = base.resolve("conf/server.xml");
        Files.writeString(xml, "<Server port='-1'><Service name='Catalina'>"
                + "<Engine name='Stock-" + System.nanoTime() + "' defaultHost='localhost' jvmRoute='tomcat1'>"
                + (inHost ? "" : block) + "<Host name='localhost' appBase='webapps' autoDeploy='false'>"
                + (inHost ? block : "") + "</Host></Engine></Service></Server>");
        System.setProperty("catalina.home", base.toString());
        System.setProperty("catalina.base", base.toString());
        catalina = new Catalina();
        catalina.setConfigFile(xml.toString());
        catalina.setUseNaming(false);
        catalina.setUseShutdownHook(false);
        catalina.load();
        catalina.start();
        Container engine = catalina.getServer().findService("Catalina").getContainer();
        return (TestCluster) (inHost ? engine.findChild("localhost") : engine).getCluster();
    }

    private RelevoManager deploy(TestCluster cluster) {
        Engine engine = catalina.getServer().findService("Catalina").getContainer();
        StandardContext context = new StandardContext();
        context.setName("/shop");
        context.setPath("/shop");
        context.setDocBase(base.toString());
        context.setDistributable(true);
        context.addLifecycleListener(new org.apache.catalina.startup.Tomcat.FixContextListener());
        engine.findChild("localhost").addChild(context);
        return (RelevoManager) context.getManager();
    }

    /** That of shared/lab/lib.sh, with a FarmWarDeployer and every setting that has a meaning. */
    private static String stock() {
        return "<Cluster className='org.apache.catalina.ha.tcp.SimpleTcpCluster' channelSendOptions='6'>"
                + "<Manager className='org.apache.catalina.ha.session.DeltaManager' expireSessionsOnShutdown='true'"
                + " notifyListenersOnReplication='true' maxActiveSessions='500' stateTransferTimeout='30'"
                + " sessionAttributeNameFilter='x.*'><SessionIdGenerator"
                + " className='org.apache.catalina.util.StandardSessionIdGenerator' sessionIdLength='20'/></Manager>"
                + "<Channel className='org.apache.catalina.tribes.group.GroupChannel'>"
                + "<Membership className='org.apache.catalina.tribes.membership.McastService' address='228.0.0.5'"
                + " port='45565' frequency='400' dropTime='2500' bind='127.0.0.1' ttl='1'/>"
                + "<Receiver className='org.apache.catalina.tribes.transport.nio.NioReceiver' address='127.0.0.1'"
                + " port='4001' autoBind='100' selectorTimeout='5000' maxThreads='6'/>"
                + "<Sender className='org.apache.catalina.tribes.transport.ReplicationTransmitter'><Transport"
                + " className='org.apache.catalina.tribes.transport.nio.PooledParallelSender'/></Sender>"
                + "<Interceptor className='org.apache.catalina.tribes.group.interceptors.TcpFailureDetector'/>"
                + "<Interceptor className='org.apache.catalina.tribes.group.interceptors.MessageDispatchInterceptor'/>"
                + "<Interceptor className='org.apache.catalina.tribes.group.interceptors.ThroughputInterceptor'/>"
                + "</Channel>"
                + "<Valve className='org.apache.catalina.ha.tcp.ReplicationValve' filter='.*\\.gif' statistics='true'"
                + " primaryIndicator='true' primaryIndicatorName='mine'/>"
                + "<Valve className='org.apache.catalina.ha.session.JvmRouteBinderValve' enabled='false'/>"
                + "<Deployer className='org.apache.catalina.ha.deploy.FarmWarDeployer' tempDir='/tmp/war-temp/'"
                + " deployDir='/tmp/war-deploy/' watchDir='/tmp/war-listen/' watchEnabled='true'/>"
                + "<ClusterListener className='org.apache.catalina.ha.session.ClusterSessionListener'/></Cluster>";
    }

    @Test
    void settingsAreTakenFromTheBlock() throws Exception {
        TestCluster cluster = start(stock(), false);
        assertEquals(List.of("cluster=relevo", "name=tomcat1", "insecure=false", "multicast=228.0.0.5:45565",
                "frequency=400", "dropTime=2500", "ttl=1", "bind=127.0.0.1", "address=127.0.0.1:4001", "autoBind=99"),
                cluster.options.lines());
        RouteBinderValve binder = (RouteBinderValve) cluster.getValves()[0];
        assertFalse(binder.getEnabled());
        ReplicationValve replication = (ReplicationValve) cluster.getValves()[1];
        assertEquals(".*\\.gif", replication.getFilter());
        assertTrue(replication.isPrimaryIndicator());
        assertEquals("mine", replication.getPrimaryIndicatorName());
        assertTrue(replication.doStatistics());
        Engine engine = catalina.getServer().findService("Catalina").getContainer();
        assertEquals(List.of(binder, replication), List.of(engine.getPipeline().getValves()).subList(0, 2));

        RelevoManager manager = deploy(cluster);
        assertEquals("localhost#/shop", manager.getName());
        assertTrue(manager.isExpireSessionsOnShutdown());
        assertEquals(500, manager.getMaxActiveSessions());
        assertEquals("x.*", manager.getSessionAttributeNameFilter());
        assertEquals(40, Route.key(manager.createSession(null).getId()).length());
    }

    @Test
    void whatIsNotServedIsNamedOnce() throws Exception {
        try (LogCapture log = new LogCapture()) {
            start(stock(), false);
            List<String> lines = log.lines().stream().map(line -> line.replace("Relevo: not served: ", ""))
                    .collect(Collectors.toList());
            assertEquals(List.of(
                    "Deployer org.apache.catalina.ha.deploy.FarmWarDeployer: deploy applications to each Tomcat",
                    "Interceptor org.apache.catalina.tribes.group.interceptors.ThroughputInterceptor",
                    "Manager stateTransferTimeout"), lines);
        }
    }

    @Test
    void aBareElementHasTomcatsDefaults() throws Exception {
        TestCluster cluster = start("<Cluster className='org.apache.catalina.ha.tcp.SimpleTcpCluster' insecure='true'"
                + " name='mine' seeds='127.0.0.1:4002, nobody.invalid:4009,127.0.0.1:4003' backups='2' memory='1000000' sessions='100'/>",
                false);
        String lines = String.join(" ", cluster.options.lines());
        assertTrue(lines.startsWith("cluster=relevo name=mine insecure=true multicast=228.0.0.4:45564 frequency=500 "
                + "dropTime=3000 address="), lines);
        assertTrue(lines.endsWith(":4000 autoBind=99 seed=127.0.0.1:4002 seed=127.0.0.1:4003 backups=2 memory=1000000 "
                + "sessions=100"), lines);
        assertEquals(8, cluster.getChannelSendOptions());
    }

    @Test
    void attributesOfTheElementSayMoreThanTheElementsInIt() throws Exception {
        TestCluster cluster = start(stock().replace("channelSendOptions='6'", "address='127.0.0.2' port='4100' autoBind='3'"
                + " multicast='228.0.0.9:45569' bind='127.0.0.3' ttl='2' frequency='300' dropTime='2000'"
                + " seeds='127.0.0.1:4002'"), false);
        assertEquals(List.of("cluster=relevo", "name=tomcat1", "insecure=false", "multicast=228.0.0.9:45569",
                "frequency=300", "dropTime=2000", "ttl=2", "bind=127.0.0.3", "address=127.0.0.2:4100", "autoBind=2",
                "seed=127.0.0.1:4002"), cluster.options.lines());
    }

    @Test
    void aKeyFileThatIsNamedMustBeThere() throws Exception {
        try (LogCapture log = new LogCapture()) {
            start("<Cluster className='org.apache.catalina.ha.tcp.SimpleTcpCluster' keyFile='conf/other.key'/>", false);
            String line = log.lines().get(0);
            assertTrue(line.startsWith("Relevo: sessions are served by this Tomcat alone: key file "
                    + base.resolve("conf/other.key") + ": there is none; correct"), line);
        }
    }

    @Test
    void sendOptionsByNameAndAHostsCluster() throws Exception {
        TestCluster cluster = start("<Cluster className='org.apache.catalina.ha.tcp.SimpleTcpCluster' insecure='true'"
                + " channelSendOptions='sync,use_ack' channelStartOptions='3' clusterName='mine'/>", true);
        assertEquals(6, cluster.getChannelSendOptions());
        assertTrue(cluster.options.lines().containsAll(List.of("multicast=none", "cluster=mine")));
        assertEquals("localhost#/shop", deploy(cluster).getName());
    }

    @Test
    void staticMembersAreSeeds() throws Exception {
        TestCluster cluster = start("<Cluster className='org.apache.catalina.ha.tcp.SimpleTcpCluster' insecure='true'>"
                + "<Channel className='org.apache.catalina.tribes.group.GroupChannel'>"
                + "<Membership className='org.apache.catalina.tribes.membership.StaticMembershipService'>"
                + "<Member className='org.apache.catalina.tribes.membership.StaticMember' host='127.0.0.1' port='4005'"
                + " uniqueId='{0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15}'/></Membership>"
                + "<Receiver className='org.apache.catalina.tribes.transport.nio.NioReceiver' address='127.0.0.1'/>"
                + "<Interceptor className='org.apache.catalina.tribes.group.interceptors.StaticMembershipInterceptor'>"
                + "<Member className='org.apache.catalina.tribes.membership.StaticMember' host='127.0.0.1' port='4006'"
                + "/></Interceptor></Channel></Cluster>", false);
        assertTrue(cluster.options.lines().containsAll(
                List.of("multicast=none", "seed=127.0.0.1:4005", "seed=127.0.0.1:4006")),
                cluster.options.toString());
    }

    @Test
    void theObjectFilterIsTakenFromTheBlock() throws Exception {
        TestCluster cluster = start("<Cluster className='org.apache.catalina.ha.tcp.SimpleTcpCluster' insecure='true'"
                + " objectFilter='maxdepth=30; !com.example.Odd'/>", false);
        assertEquals("maxdepth=30; !com.example.Odd", cluster.getObjectFilter());
        assertEquals("; if the application needs it, set on the Cluster of every node:"
                + " objectFilter=\"javax.naming.Reference;maxdepth=30;!com.example.Odd\"",
                cluster.filter().cure(javax.naming.Reference.class));
    }

    @Test
    void aMalformedObjectFilterIsSaid() throws Exception {
        try (LogCapture log = new LogCapture()) {
            start("<Cluster className='org.apache.catalina.ha.tcp.SimpleTcpCluster' insecure='true'"
                    + " objectFilter='maxdepth=many'/>", false);
            String line = log.lines().get(0);
            assertTrue(line.startsWith("Relevo: sessions are served by this Tomcat alone: objectFilter=\"maxdepth=many\"")
                    && line.contains("jdk.serialFilter"), line);
        }
    }

    @Test
    void withoutAKeyOthersMayNotListen() throws Exception {
        InetAddress outside = InetAddress.getByName("10.99.0.10");
        try (LogCapture log = new LogCapture()) {
            start(stock().replace("'127.0.0.1'", "'" + outside.getHostAddress() + "'"), false);
            assertEquals("Relevo: sessions are served by this Tomcat alone: there is no cluster key, and others can "
                    + "reach this node's address; write one with `relevo keygen " + base.resolve("conf/relevo.key")
                    + "` and copy it to every node, or allow insecure=\"true\" on the Cluster", log.lines().get(0));
        }
    }
}
