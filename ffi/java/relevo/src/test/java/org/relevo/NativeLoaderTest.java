package org.relevo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.InputStream;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The loader in class loaders of its own, with other native libraries than those that were built. */
class NativeLoaderTest {

    private static final List<String> NAMES = Platform.names();

    @TempDir
    Path jar;

    @TempDir
    Path workdir;

    @BeforeEach
    void unpackHere() {
        System.setProperty(NativeLoader.WORKDIR, workdir.resolve("private").toString());
    }

    @AfterEach
    void forget() {
        System.clearProperty(NativeLoader.WORKDIR);
    }

    private static byte[] built() throws Exception {
        String name = "META-INF/native/librelevo_jni_" + NAMES.get(0) + ".so";
        try (InputStream in = NativeLoaderTest.class.getClassLoader().getResourceAsStream(name)) {
            assumeTrue(in != null, name);
            return in.readAllBytes();
        }
    }

    private void put(String platform, byte[] library) throws Exception {
        Path folder = Files.createDirectories(jar.resolve("META-INF/native"));
        Files.write(folder.resolve("librelevo_jni_" + platform + ".so"), library);
    }

    /** Loads with the libraries that were put, and no others; returns the message if it can't. */
    private String load() throws Exception {
        // Only the classes come from where they were compiled; a parent would also give its native library.
        URL classes = NativeLoader.class.getProtectionDomain().getCodeSource().getLocation();
        try (URLClassLoader loader = new URLClassLoader(new URL[] { jar.toUri().toURL(), classes },
                ClassLoader.getPlatformClassLoader()) {
            @Override
            public URL getResource(String name) {
                return name.startsWith("META-INF/native/") && !Files.exists(jar.resolve(name)) ? null : super.getResource(name);
            }

            @Override
            public InputStream getResourceAsStream(String name) {
                return getResource(name) == null ? null : super.getResourceAsStream(name);
            }
        }) {
            Class.forName("org.relevo.NativeLoader", true, loader).getMethod("load").invoke(null);
            return "loaded";
        } catch (InvocationTargetException e) {
            return e.getCause().getMessage();
        }
    }

    @Test
    void theSecondLibraryIsTriedWhenTheFirstDoesNotLoad() throws Exception {
        put(NAMES.get(0), "for another C library".getBytes(StandardCharsets.UTF_8));
        put(NAMES.get(1), built());
        assertEquals("loaded", load());
    }

    @Test
    void oneLibraryIsEnough() throws Exception {
        put(NAMES.get(1), built());
        assertEquals("loaded", load());
    }

    @Test
    void aJarWithoutALibraryNamesThoseItLooksFor() throws Exception {
        String message = load();
        for (String name : NAMES) {
            assertTrue(message.contains("META-INF/native/librelevo_jni_" + name + ".so"), message);
        }
    }

    @Test
    void everyLibraryThatDoesNotLoadIsNamed() throws Exception {
        put(NAMES.get(0), new byte[] { 1 });
        put(NAMES.get(1), new byte[] { 2 });
        String message = load();
        for (byte contents = 1; contents <= 2; contents++) {
            assertTrue(message.contains(NativeFile.digest(new byte[] { contents })), message);
        }
    }
}
