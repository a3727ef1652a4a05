package org.relevo.tomcat;

import java.io.IOException;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpSession;

import org.apache.catalina.Context;
import org.apache.catalina.core.StandardContext;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.IntrospectionUtils;

/** A program with two Tomcats in it. */
public class EmbeddedProgram implements Callable<String> {

    /**
     * @return what a session counted at the first, at the second, and at the second when the first had stopped: once with
     *         clusters, once with managers that have the settings
     */
    @Override
    public String call() throws Exception {
        int[] ports = freePorts();
        String clusters = count(start("tomcat1", cluster(ports[0], ports[1]), null), start("tomcat2", cluster(ports[1], ports[0]), null));
        return clusters + ", " + count(start("tomcat1", null, manager(ports[0], ports[1])), start("tomcat2", null, manager(ports[1], ports[0])));
    }

    private static String count(Tomcat one, Tomcat two) throws Exception {
        try {
            awaitBoth(one);
            awaitBoth(two);
            HttpResponse<String> made = get(one, null);
            String session = made.headers().firstValue("Set-Cookie").orElseThrow().split(";")[0];
            String counted = made.body() + " " + get(two, session).body();
            stop(one);
            return counted + " " + get(two, session.replace("tomcat1", "tomcat2")).body();
        } finally {
            stop(two);
        }
    }

    private static int[] freePorts() throws IOException {
        InetAddress loopback = InetAddress.getLoopbackAddress();
        try (DatagramSocket one = new DatagramSocket(0, loopback); DatagramSocket two = new DatagramSocket(0, loopback)) {
            return new int[] { one.getLocalPort(), two.getLocalPort() };
        }
    }

    private static SessionCluster cluster(int port, int other) {
        SessionCluster cluster = new SessionCluster();
        cluster.setAddress("127.0.0.1");
        cluster.setPort(String.valueOf(port));
        cluster.setAutoBind("1");
        cluster.setMulticast("none");
        cluster.setSeeds("127.0.0.1:" + other);
        cluster.setChannelSendOptions("sync,use_ack");
        return cluster;
    }

    /** As the digester sets the attributes of a Manager element. */
    private static RelevoManager manager(int port, int other) {
        RelevoManager manager = new RelevoManager();
        Map.of("address", "127.0.0.1", "port", String.valueOf(port), "autoBind", "1", "multicast", "none",
                "seeds", "127.0.0.1:" + other, "channelSendOptions", "6", "maxActiveSessions", "100").forEach((name, value) -> {
            if (!IntrospectionUtils.setProperty(manager, name, value)) {
                throw new IllegalStateException("no setting " + name);
            }
        });
        return manager;
    }

    private static Tomcat start(String route, SessionCluster cluster, RelevoManager manager) throws Exception {
        Path base = Files.createTempDirectory("relevo-test");
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(base.toString());
        tomcat.setPort(0);
        tomcat.getConnector().setProperty("address", "127.0.0.1");
        tomcat.getEngine().setName(route);
        tomcat.getEngine().setJvmRoute(route);
        if (cluster != null) {
            tomcat.getEngine().setCluster(cluster);
        }
        Context context = tomcat.addContext("", base.toString());
        if (manager == null) {
            ((StandardContext) context).setDistributable(true);
        } else {
            context.setManager(manager);
        }
        Tomcat.addServlet(context, "counter", new Counter());
        context.addServletMappingDecoded("/*", "counter");
        tomcat.start();
        return tomcat;
    }

    private static void awaitBoth(Tomcat tomcat) throws InterruptedException {
        SessionCluster cluster = (SessionCluster) tomcat.getHost().getCluster();
        for (int turn = 0; turn < 600 && cluster.getNodes().length < 2; turn++) {
            TimeUnit.MILLISECONDS.sleep(50);
        }
    }

    private static HttpResponse<String> get(Tomcat tomcat, String cookie) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(
                URI.create("http://127.0.0.1:" + tomcat.getConnector().getLocalPort() + "/"));
        if (cookie != null) {
            request.header("Cookie", cookie);
        }
        return HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    private static void stop(Tomcat tomcat) throws Exception {
        tomcat.stop();
        tomcat.destroy();
    }

    /** Counts a session's requests. */
    private static final class Counter extends HttpServlet {

        private static final long serialVersionUID = 1L;

        @Override
        protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
            HttpSession session = request.getSession();
            Integer before = (Integer) session.getAttribute("count");
            session.setAttribute("count", before == null ? 1 : before + 1);
            response.getWriter().print(session.getAttribute("count"));
        }
    }
}
