package org.relevo.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

import org.apache.catalina.Context;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.IntrospectionUtils;
import org.junit.jupiter.api.Test;

/** The Manager element of a context.xml, in a Host without a Cluster: nothing that it does or doesn't do is silent. */
class ManagerElementTest {

    private static final String[] LOCAL = { "address", "127.0.0.1", "port", "4790", "multicast", "none" };

    @Test
    void aManagerWithoutSettingsMakesAClusterWithTheDefaultsAndSaysSo() throws Exception {
        RelevoManager manager = manager();
        List<String> lines = lines(() -> run(List.of(manager), () -> assertNotNull(manager.getContext().getCluster())));
        assertEquals(1, count(lines, "localhost has no Cluster; the Manager of context \"/0\" makes one for all its contexts, with the defaults"),
                lines.toString());
        // There is no key: the line says so, and what to do.
        assertEquals(1, count(lines, "sessions are served by this Tomcat alone: "), lines.toString());
    }

    @Test
    void managersWithTheSameSettingsShareOneCluster() throws Exception {
        RelevoManager first = manager(LOCAL);
        RelevoManager second = manager(LOCAL);
        RelevoManager third = manager();
        List<String> lines = lines(() -> run(List.of(first, second, third), () -> {
            SessionCluster shared = (SessionCluster) first.getContext().getParent().getCluster();
            assertTrue(shared.isReplicating());
            for (RelevoManager each : List.of(first, second, third)) {
                assertSame(shared, each.getContext().getCluster());
                assertSame(each, shared.getManager(each.getName()));
            }
        }));
        assertEquals(1, count(lines, "makes one for all its contexts, with address=\"127.0.0.1\", multicast=\"none\", port=\"4790\""), lines.toString());
        assertEquals(0, count(lines, "without effect"), lines.toString());
    }

    @Test
    void settingsThatHaveNoEffectAreNamed() throws Exception {
        List<String> lines = lines(() -> run(List.of(manager(LOCAL), manager("backups", "2")), () -> { }));
        assertEquals(1, count(lines, "has settings without effect, "), lines.toString());
    }

    @Test
    void whatIsNoSettingIsRefusedSoThatTomcatWarnsOfIt() {
        assertFalse(IntrospectionUtils.setProperty(new RelevoManager(), "backupz", "2"));
        assertTrue(IntrospectionUtils.setProperty(new RelevoManager(), "backups", "2"));
    }

    private static RelevoManager manager(String... settings) {
        RelevoManager manager = new RelevoManager();
        for (int i = 0; i < settings.length; i += 2) {
            assertTrue(IntrospectionUtils.setProperty(manager, settings[i], settings[i + 1]), settings[i]);
        }
        return manager;
    }

    /** Runs the check in a Tomcat with a context for each manager, which start one after the other. */
    private static void run(List<RelevoManager> managers, Runnable check) throws Exception {
        Path base = Files.createTempDirectory("relevo-test");
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(base.toString());
        tomcat.getEngine().setName("Managers-" + System.nanoTime());
        tomcat.getEngine().setJvmRoute("tomcat1");
        for (int i = 0; i < managers.size(); i++) {
            Context context = tomcat.addContext("/" + i, base.toString());
            context.setManager(managers.get(i));
        }
        try {
            tomcat.start();
            check.run();
        } finally {
            tomcat.stop();
            tomcat.destroy();
        }
    }

    private interface Run {
        void go() throws Exception;
    }

    /** The lines that Relevo logs meanwhile, at any level. */
    private static List<String> lines(Run run) throws Exception {
        List<String> lines = new ArrayList<>();
        Handler handler = new Handler() {
            @Override
            public void publish(LogRecord line) {
                synchronized (lines) {
                    lines.add(line.getMessage());
                }
            }

            @Override
            public void flush() {
                // Nothing is buffered.
            }

            @Override
            public void close() {
                // Nothing is open.
            }
        };
        Logger logger = Logger.getLogger("org.relevo.tomcat");
        logger.addHandler(handler);
        try {
            run.go();
        } finally {
            logger.removeHandler(handler);
        }
        return lines;
    }

    private static long count(List<String> lines, String part) {
        return lines.stream().filter(line -> line.contains(part)).count();
    }
}
