package org.relevo.tomcat;

import java.util.HashSet;
import java.util.Set;

/**
 * What a session has to commit: the names that were set or removed, and whether its header changed. Each commit takes
 * all of it at once; what changes meanwhile is for the next one.
 */
final class Pending {

    private Set<String> names = new HashSet<>();
    private boolean header;

    synchronized void add(String name) {
        names.add(name);
    }

    synchronized void addHeader() {
        header = true;
    }

    synchronized boolean contains(String name) {
        return names.contains(name);
    }

    synchronized boolean isEmpty() {
        return names.isEmpty() && !header;
    }

    /** Everything, or null if there is nothing. */
    synchronized Set<String> take() {
        if (isEmpty()) {
            return null;
        }
        Set<String> taken = names;
        names = new HashSet<>();
        header = false;
        return taken;
    }

    /** Gives back what could not be committed. */
    synchronized void restore(Set<String> taken) {
        names.addAll(taken);
        header = true;
    }
}
