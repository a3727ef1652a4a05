package org.relevo.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.File;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;

import org.junit.jupiter.api.Test;

/** Two Tomcats of a program, with real nodes and without the jars of Tomcat's own cluster. */
class EmbeddedTest {

    @Test
    void aSessionGoesOnWithoutTheJarsOfTomcatsCluster() throws Exception {
        Thread thread = Thread.currentThread();
        ClassLoader before = thread.getContextClassLoader();
        try (URLClassLoader loader = new URLClassLoader(jars(), ClassLoader.getPlatformClassLoader())) {
            assertThrows(ClassNotFoundException.class, () -> loader.loadClass("org.apache.catalina.ha.CatalinaCluster"));
            assertThrows(ClassNotFoundException.class, () -> loader.loadClass("org.apache.catalina.tribes.Channel"));
            thread.setContextClassLoader(loader);
            Object program = loader.loadClass(EmbeddedProgram.class.getName()).getConstructor().newInstance();
            assertEquals("1 2 3, 1 2 3", ((Callable<?>) program).call());
        } finally {
            thread.setContextClassLoader(before);
        }
    }

    private static URL[] jars() throws MalformedURLException {
        List<URL> jars = new ArrayList<>();
        for (String each : System.getProperty("java.class.path").split(File.pathSeparator)) {
            if (!each.contains("tomcat-catalina-ha") && !each.contains("tomcat-tribes")) {
                jars.add(new File(each).toURI().toURL());
            }
        }
        return jars.toArray(new URL[0]);
    }
}
