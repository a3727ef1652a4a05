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
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpSession;

import org.apache.catalina.Context;
import org.apache.catalina.core.StandardContext;
import org.apache.catalina.startup.Tomcat;

/** A program with two Tomcats in it. */
public class EmbeddedProgram implements Callable<String> {

    /** @return what a session counted at the first, at the second, and at the second when the first had stopped */
    @Override
    public String call() throws Exception {
        int[] ports = freePorts();
        SessionCluster first = cluster(ports[0], ports[1]);
        SessionCluster second = cluster(ports[1], ports[0]);
        Tomcat one = start(first, "tomcat1");
        Tomcat two = start(second, "tomcat2");
        try {
            awaitBoth(first);
            awaitBoth(second);
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

    private static Tomcat start(SessionCluster cluster, String route) throws Exception {
        Path base = Files.createTempDirectory("relevo-test");
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(base.toString());
        tomcat.setPort(0);
        tomcat.getConnector().setProperty("address", "127.0.0.1");
        tomcat.getEngine().setName(route);
        tomcat.getEngine().setJvmRoute(route);
        tomcat.getEngine().setCluster(cluster);
        Context context = tomcat.addContext("", base.toString());
        ((StandardContext) context).setDistributable(true);
        Tomcat.addServlet(context, "counter", new Counter());
        context.addServletMappingDecoded("/*", "counter");
        tomcat.start();
        return tomcat;
    }

    private static void awaitBoth(SessionCluster cluster) throws InterruptedException {
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
