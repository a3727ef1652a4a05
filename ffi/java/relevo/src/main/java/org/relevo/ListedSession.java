package org.relevo;

/** A session in the list of an application's sessions, without its contents. */
public final class ListedSession {

    private final SessionKey key;
    private final boolean owned;
    private final int maxInactive;
    private final long idleMillis;
    private final long version;

    /**
     * @param key the session
     * @param owned whether the node that was asked is its primary and may serve it without asking others
     * @param maxInactive seconds after which an idle session ends; 0: never
     * @param idleMillis how long ago the session was last used, as far as the node knows
     * @param version names the contents that the node has, see {@link Node#version}
     */
    public ListedSession(SessionKey key, boolean owned, int maxInactive, long idleMillis, long version) {
        this.key = key;
        this.owned = owned;
        this.maxInactive = maxInactive;
        this.idleMillis = idleMillis;
        this.version = version;
    }

    /** @return the session */
    public SessionKey key() {
        return key;
    }

    /** @return whether the node that was asked is its primary and may serve it without asking others; else it has a copy */
    public boolean owned() {
        return owned;
    }

    /** @return seconds after which an idle session ends; 0: never */
    public int maxInactive() {
        return maxInactive;
    }

    /** @return how long ago the session was last used, as far as the node knows */
    public long idleMillis() {
        return idleMillis;
    }

    /** @return names the contents that the node has, see {@link Node#version} */
    public long version() {
        return version;
    }
}
