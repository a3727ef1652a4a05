package org.relevo.tomcat;

import java.util.HashMap;
import java.util.Map;

import org.relevo.Changes;

/** The attributes of one commit, as they were written. */
final class Written {

    private final Changes changes = new Changes();

    /** The fingerprint of what each name has now; null: it was removed. */
    private final Map<String, Long> prints = new HashMap<>();

    private String largest;
    private int largestSize;

    /** The value of {@code full} is these bytes, or is removed if they are null. */
    void add(String full, byte[] bytes) {
        String name = SessionState.wire(full);
        if (bytes == null) {
            changes.remove(name);
        } else {
            changes.put(name, bytes);
        }
        prints.put(full, bytes == null ? null : Fingerprint.of(bytes));
        if (bytes != null && bytes.length > largestSize && !LeftOut.isMarker(bytes)) {
            largest = full;
            largestSize = bytes.length;
        }
    }

    Changes changes() {
        return changes;
    }

    Map<String, Long> prints() {
        return prints;
    }

    /** The name of the largest value; null if there is none. */
    String largest() {
        return largest;
    }

    int largestSize() {
        return largestSize;
    }
}
