package org.relevo.tomcat;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;

import org.apache.catalina.Context;
import org.apache.catalina.Manager;
import org.apache.catalina.core.StandardContext;
import org.apache.catalina.startup.Tomcat;

/** A real Tomcat in this virtual machine with one application, which tests give its servlet. */
final class TestTomcat implements AutoCloseable {

    /** Handles a request; the returned text is the body of the answer. */
    interface Servlet {
        String answer(HttpServletRequest request, HttpServletResponse response) throws Exception;
    }

    final TestCluster cluster;
    final Context context;
    private final Tomcat tomcat = new Tomcat();

    TestTomcat(TestCluster cluster, String route, Servlet servlet) throws Exception {
        this.cluster = cluster;
        Path base = Files.createTempDirectory("relevo-test");
        tomcat.setBaseDir(base.toString());
        tomcat.setPort(0);
        tomcat.setHostname("localhost");
        tomcat.getConnector().setProperty("address", "127.0.0.1");
        tomcat.getEngine().setName("Engine-" + route + "-" + System.nanoTime());
        tomcat.getEngine().setJvmRoute(route);
        tomcat.getEngine().setCluster(cluster);
        context = tomcat.addContext("", base.toString());
        ((StandardContext) context).setDistributable(true);
        Tomcat.addServlet(context, "test", new Adapter(servlet)).setAsyncSupported(true);
        context.addServletMappingDecoded("/*", "test");
    }

    TestTomcat start() throws Exception {
        tomcat.start();
        return this;
    }

    /** As Tomcat's own script does: then what Tomcat's loader has is no part of the application. */
    void setCatalina(org.apache.catalina.startup.Catalina catalina) {
        tomcat.getServer().setCatalina(catalina);
    }

    Tomcat tomcat() {
        return tomcat;
    }

    RelevoManager manager() {
        return (RelevoManager) context.getManager();
    }

    Manager anyManager() {
        return context.getManager();
    }

    /** The answer to GET with this session cookie, or none. */
    HttpResponse<String> get(String path, String sessionId) throws Exception {
        URI uri = URI.create("http://127.0.0.1:" + tomcat.getConnector().getLocalPort() + path);
        HttpRequest.Builder request = HttpRequest.newBuilder(uri);
        if (sessionId != null) {
            request.header("Cookie", "JSESSIONID=" + sessionId);
        }
        return HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    /** The session id that a response sets, or null. */
    static String cookie(HttpResponse<?> response) {
        return response.headers().firstValue("Set-Cookie")
                .map(cookie -> cookie.substring("JSESSIONID=".length(), cookie.indexOf(';'))).orElse(null);
    }

    @Override
    public void close() throws Exception {
        tomcat.stop();
        tomcat.destroy();
    }

    private static final class Adapter extends HttpServlet {

        private static final long serialVersionUID = 1L;

        private final transient Servlet servlet;

        Adapter(Servlet servlet) {
            this.servlet = servlet;
        }

        @Override
        protected void doGet(HttpServletRequest request, HttpServletResponse response) throws java.io.IOException {
            try {
                String answer = servlet.answer(request, response);
                if (answer != null) {
                    response.getWriter().print(answer);
                }
            } catch (Exception e) {
                throw new java.io.IOException(e);
            }
        }
    }
}
