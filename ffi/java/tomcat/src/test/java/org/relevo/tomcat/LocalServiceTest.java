package org.relevo.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;

import org.apache.catalina.session.StandardManager;
import org.junit.jupiter.api.Test;

/** Whatever is wrong with the cluster, Tomcat starts and serves. */
class LocalServiceTest {

    @Test
    void aNodeThatCanNotStartIsOneLine() throws Exception {
        TestCluster cluster = new TestCluster(new FakeNetwork(), "one");
        cluster.setInsecure(true);
        cluster.failure = "address 127.0.0.1:4000 to port 4099: can't be bound: in use; choose another port";
        try (LogCapture log = new LogCapture();
                TestTomcat tomcat = new TestTomcat(cluster, "tomcat1", LocalServiceTest::count).start()) {
            assertEquals(1, log.lines().size(), log.lines().toString());
            assertEquals("Relevo: sessions are served by this Tomcat alone: " + cluster.failure, log.lines().get(0));
            assertTrue(tomcat.anyManager() instanceof StandardManager);
            String id = TestTomcat.cookie(tomcat.get("/", null));
            assertEquals("2", tomcat.get("/", id).body());
            assertFalse(cluster.isReplicating());
        }
    }

    @Test
    void aLibraryThatCanNotBeLoadedIsOneLine() throws Exception {
        RelevoCluster cluster = new RelevoCluster();
        cluster.setInsecure(true);
        System.setProperty("relevo.native.path", Path.of("/nowhere/librelevo_jni.so").toString());
        try (LogCapture log = new LogCapture()) {
            org.apache.catalina.startup.Tomcat tomcat = new org.apache.catalina.startup.Tomcat();
            tomcat.setBaseDir(java.nio.file.Files.createTempDirectory("relevo-test").toString());
            tomcat.getEngine().setCluster(cluster);
            tomcat.start();
            tomcat.stop();
            tomcat.destroy();
            assertEquals(1, log.lines().stream().filter(line -> line.contains("alone")).count());
            assertTrue(log.lines().get(log.lines().size() - 1).contains("native library /nowhere/librelevo_jni.so"),
                    log.lines().toString());
            assertTrue(log.lines().get(log.lines().size() - 1).contains("correct -Drelevo.native.path"));
        } finally {
            System.clearProperty("relevo.native.path");
        }
    }

    private static String count(jakarta.servlet.http.HttpServletRequest request,
            jakarta.servlet.http.HttpServletResponse response) {
        Integer n = (Integer) request.getSession().getAttribute("n");
        request.getSession().setAttribute("n", n == null ? 1 : n + 1);
        return String.valueOf(request.getSession().getAttribute("n"));
    }
}
