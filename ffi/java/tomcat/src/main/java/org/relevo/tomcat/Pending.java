package org.relevo.tomcat;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * The pending changes of a session: the names that were set or removed, and whether its header changed. Each commit takes
 * all of them at once; changes made meanwhile are left to the next one.
 *
 * <p>Invariant: a name is busy from before its value changes until a commit has taken it afterwards. What came from the
 * node is put in the place of a value only while the name is not busy, and under this object's monitor, so it never
 * replaces what was set since. The monitor is never held while code of an application runs.
 */
final class Pending {

    private Set<String> names = new HashSet<>();
    private final Map<String, Integer> changing = new HashMap<>();
    private boolean header;

    /** A change of this name begins; {@link #end} follows. */
    synchronized void begin(String name) {
        changing.merge(name, 1, Integer::sum);
    }

    /** A change of this name has ended; {@code changed} says whether there is a new value to commit. */
    synchronized void end(String name, boolean changed) {
        changing.computeIfPresent(name, (key, count) -> count == 1 ? null : count - 1);
        if (changed) {
            names.add(name);
        }
    }

    synchronized void add(String name) {
        names.add(name);
    }

    synchronized void addHeader() {
        header = true;
    }

    synchronized boolean hasHeader() {
        return header;
    }

    /** Runs {@code change} unless the name is busy; nothing else changes meanwhile. */
    synchronized void unlessBusy(String name, Runnable change) {
        if (!names.contains(name) && !changing.containsKey(name)) {
            change.run();
        }
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
