package org.relevo;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** A session's contents as a node holds them. */
public final class Contents {

    private final Map<String, byte[]> attributes;
    private final int maxInactive;
    private final long idleMillis;
    private final long version;
    private final boolean maybeStale;

    /**
     * @param attributes names and values
     * @param maxInactive seconds after which an idle session ends; 0: never
     * @param idleMillis how long ago the session was last used, as far as the node knows
     * @param version names these contents, see {@link Node#version}
     * @param maybeStale whether newer changes may exist
     */
    public Contents(Map<String, byte[]> attributes, int maxInactive, long idleMillis, long version,
            boolean maybeStale) {
        this.attributes = Collections.unmodifiableMap(new LinkedHashMap<>(attributes));
        this.maxInactive = maxInactive;
        this.idleMillis = idleMillis;
        this.version = version;
        this.maybeStale = maybeStale;
    }

    /** @return names and values; the values are not to be changed */
    public Map<String, byte[]> attributes() {
        return attributes;
    }

    /** @return seconds after which an idle session ends; 0: never */
    public int maxInactive() {
        return maxInactive;
    }

    /** @return how long ago the session was last used, as far as the node knows */
    public long idleMillis() {
        return idleMillis;
    }

    /** @return names these contents, see {@link Node#version} */
    public long version() {
        return version;
    }

    /** @return whether a holder or the former primary didn't answer in time, so that newer changes may exist */
    public boolean maybeStale() {
        return maybeStale;
    }
}
