package org.relevo.tomcat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The contents of an object that the cluster has: for each name the fingerprint of the bytes for which the value here stands, since this
 * object committed them or took them from there. Bytes that are the same leave the value alone; so a value that can't be
 * read back stays where it is, until it is set elsewhere. Changes under the object's lock, but for {@link #setAgain}.
 */
final class Shipped {

    private final Map<String, Long> prints = new ConcurrentHashMap<>();

    /** Names of values that nobody else has, or can read, since they were set here. */
    private final Set<String> lacking = ConcurrentHashMap.newKeySet();

    /** Names of values with which the session is too large. */
    private final Set<String> tooMuch = ConcurrentHashMap.newKeySet();

    List<String> names() {
        return new ArrayList<>(prints.keySet());
    }

    boolean has(String full) {
        return prints.containsKey(full);
    }

    /** Whether the value here stands for bytes with this fingerprint; null: for none. */
    boolean isSame(String full, Long print) {
        return Objects.equals(print, prints.get(full));
    }

    void took(String full, Long print) {
        lacking.remove(full);
        tooMuch.remove(full);
        put(full, print);
    }

    void sent(Written written) {
        written.prints().forEach(this::put);
    }

    private void put(String full, Long print) {
        if (print == null) {
            prints.remove(full);
        } else {
            prints.put(full, print);
        }
    }

    /** The application set the value: perhaps it fits now. */
    void setAgain(String full) {
        tooMuch.remove(full);
    }

    boolean isTooMuch(String full) {
        return tooMuch.contains(full);
    }

    /** Leaves out the largest value that was written, since it can't travel; false if there is none. */
    boolean leaveOutLargest(Written written) {
        return written.largest() != null && tooMuch.add(written.largest());
    }

    void writing(String full) {
        lacking.remove(full);
    }

    void lacksOthers(String full) {
        lacking.add(full);
    }

    boolean isLackedByOthers() {
        return !lacking.isEmpty();
    }
}
