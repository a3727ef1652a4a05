package org.relevo;

import java.util.List;
import java.util.Locale;

/** The names under which a jar has native libraries for one kind of machine. */
final class Platform {

    private Platform() {
    }

    /**
     * The platform's names, the one to try first at the front. On Linux the second is for musl, since Java calls a system
     * with musl (Alpine) as it calls one with glibc. A library for the other C library can't be loaded, so trying is safe.
     *
     * @param system as Java calls it in {@code os.name}
     * @param machine as Java calls it in {@code os.arch}
     */
    static List<String> names(String system, String machine) {
        String os = system.toLowerCase(Locale.ROOT).replace(' ', '_');
        String arch = machine.toLowerCase(Locale.ROOT).replace("amd64", "x86_64");
        return os.equals("linux") ? List.of("linux_" + arch, "linux_musl_" + arch) : List.of(os + "_" + arch);
    }

    /** The names of this platform. */
    static List<String> names() {
        return names(System.getProperty("os.name"), System.getProperty("os.arch"));
    }
}
