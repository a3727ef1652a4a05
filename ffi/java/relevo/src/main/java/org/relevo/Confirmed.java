package org.relevo;

/** The number of nodes that confirmed a commit or an invalidation. */
public final class Confirmed {

    private final int copies;
    private final boolean met;

    /**
     * @param copies copies known to exist, this node's included (of an invalidation: nodes that know of it)
     * @param met whether what was asked for was met in time
     */
    public Confirmed(int copies, boolean met) {
        this.copies = copies;
        this.met = met;
    }

    /** As ffi/jni/src/pack.rs writes it. */
    static Confirmed of(long code) {
        return new Confirmed((int) code & 0xff, (code & 0x100) != 0);
    }

    /** @return copies known to exist, this node's included (of an invalidation: nodes that know of it) */
    public int copies() {
        return copies;
    }

    /** @return whether what was asked for was met in time */
    public boolean met() {
        return met;
    }
}
