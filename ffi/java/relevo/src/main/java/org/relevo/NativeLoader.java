package org.relevo;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Loads the native library once, from the first of these places:
 *
 * <ol>
 * <li>the file that {@code -Drelevo.native.path} names, and then no other place;</li>
 * <li>the Java library path, as {@code librelevo_jni.so};</li>
 * <li>this jar, where a library for musl is tried if the one for glibc doesn't load; it is unpacked to the directory that {@code -Drelevo.native.workdir} names, and then no other; by default to
 * a private subdirectory of the first of {@code java.io.tmpdir}, Tomcat's {@code temp} and {@code work}, and the
 * user's cache directory from which the system lets a library run (a temporary folder is often mounted noexec).</li>
 * </ol>
 *
 * <p>A native method is bound to the class loader of its class: keep this jar in Tomcat's {@code lib}, never in a web
 * application.
 */
public final class NativeLoader {

    static final String PATH = "relevo.native.path";
    static final String WORKDIR = "relevo.native.workdir";

    private static final String LIBRARY = "relevo_jni";

    private static boolean loaded;

    private NativeLoader() {
    }

    /**
     * Loads the library unless it is loaded.
     *
     * @throws RelevoException if it can't be loaded; the message names what was tried and the cure
     */
    public static synchronized void load() throws RelevoException {
        if (loaded) {
            return;
        }
        String path = System.getProperty(PATH);
        try {
            if (path != null) {
                loadConfigured(Path.of(path));
            } else {
                loadAnywhere();
            }
        } catch (IllegalCallerException e) {
            throw new RelevoException("native library: this Java lets no code of Tomcat's load one; start it with "
                    + "--enable-native-access=ALL-UNNAMED, for example in CATALINA_OPTS", e);
        }
        checkVersion();
        loaded = true;
    }

    /**
     * Says that somebody else has loaded the library in this class loader (Tomcat's
     * {@code JniLifecycleListener}).
     */
    public static synchronized void assumeLoaded() {
        loaded = true;
    }

    private static void loadConfigured(Path file) throws RelevoException {
        try {
            System.load(file.toAbsolutePath().toString());
        } catch (UnsatisfiedLinkError e) {
            throw new RelevoException("native library " + reason(file.toString(), e) + "; correct -D" + PATH
                    + ", or leave it out to use the one in the jar", e);
        }
    }

    private static void loadAnywhere() throws RelevoException {
        List<String> failures = new ArrayList<>();
        if (loadInstalled(failures)) {
            return;
        }
        for (byte[] library : libraries()) {
            String name = "lib" + LIBRARY + "-" + version() + "-" + NativeFile.digest(library) + ".so";
            for (Path directory : directories()) {
                if (loadUnpacked(directory, name, library, failures)) {
                    return;
                }
            }
        }
        throw new RelevoException("native library: " + String.join("; ", failures) + "; set -D" + WORKDIR
                + "=DIRECTORY to one of this user on a file system that is not mounted noexec, or -D" + PATH
                + "=FILE to an unpacked library");
    }

    private static boolean loadInstalled(List<String> failures) {
        try {
            System.loadLibrary(LIBRARY);
            return true;
        } catch (UnsatisfiedLinkError e) {
            // Not being installed is the normal case and no news; being unusable is.
            if (!String.valueOf(e.getMessage()).contains("java.library.path")) {
                failures.add(e.getMessage());
            }
            return false;
        }
    }

    private static boolean loadUnpacked(Path directory, String name, byte[] library, List<String> failures) {
        try {
            String file = NativeFile.unpack(directory, name, library).toString();
            return loadFile(file, failures);
        } catch (IOException | UnsupportedOperationException e) {
            failures.add(directory + ": " + e);
        }
        return false;
    }

    private static boolean loadFile(String file, List<String> failures) {
        try {
            System.load(file);
            return true;
        } catch (UnsatisfiedLinkError e) {
            failures.add(reason(file, e));
            return false;
        }
    }

    /** The virtual machine and the system's loader both put the name in front; once is enough. */
    private static String reason(String file, UnsatisfiedLinkError e) {
        return file + ": " + String.valueOf(e.getMessage()).replace(file + ": ", "");
    }

    /** Where to unpack, best first. */
    private static Set<Path> directories() {
        Set<Path> directories = new LinkedHashSet<>();
        String configured = System.getProperty(WORKDIR);
        if (configured != null) {
            directories.add(Path.of(configured).toAbsolutePath());
            return directories;
        }
        String own = "relevo-" + System.getProperty("user.name", "user").replaceAll("[^A-Za-z0-9_-]", "_");
        add(directories, System.getProperty("java.io.tmpdir"), own);
        add(directories, System.getProperty("catalina.base"), "temp", own);
        add(directories, System.getProperty("catalina.base"), "work", own);
        add(directories, System.getProperty("user.home"), ".cache", own);
        return directories;
    }

    private static void add(Set<Path> directories, String first, String... more) {
        if (first != null && !first.isEmpty()) {
            directories.add(Path.of(first, more).toAbsolutePath());
        }
    }

    /** The jar's libraries for this platform, the one to try first at the front; there is at least one. */
    private static List<byte[]> libraries() throws RelevoException {
        List<byte[]> libraries = new ArrayList<>();
        List<String> names = new ArrayList<>();
        for (String platform : Platform.names()) {
            String name = "META-INF/native/lib" + LIBRARY + "_" + platform + ".so";
            names.add(name);
            try (InputStream in = NativeLoader.class.getClassLoader().getResourceAsStream(name)) {
                if (in != null) {
                    libraries.add(in.readAllBytes());
                }
            } catch (IOException e) {
                throw new RelevoException("native library: " + name + " in the jar: " + e, e);
            }
        }
        if (libraries.isEmpty()) {
            throw new RelevoException("native library: this jar has none for " + Platform.names().get(0) + " ("
                    + String.join(", ", names) + "); build it there with ffi/java/build, or name a file with -D" + PATH);
        }
        return libraries;
    }

    /** An old library found on the way would answer calls that it doesn't understand. */
    private static void checkVersion() throws RelevoException {
        String library = NativeNode.version();
        if (!library.equals(version())) {
            throw new RelevoException("native library: version " + library + ", but the jar is " + version()
                    + "; remove the old library from -D" + PATH + " or the Java library path");
        }
    }

    private static String version() {
        try (InputStream in = NativeLoader.class.getResourceAsStream("version.txt")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8).trim();
        } catch (IOException e) {
            throw new UncheckedIOException("version.txt in the jar of " + NativeLoader.class.getName(), e);
        }
    }
}
