package org.relevo;

/** The outcome of a commit that depended on the version of the session. */
public final class Committed {

    /** The ways in which it can end. */
    public enum Outcome {
        /** It was written. */
        DONE,
        /** Nothing was written: the session isn't as it was seen, or another node serves it. Fetch it, and try again. */
        CHANGED,
        /** Nothing was written: the session has ended. */
        ENDED,
        /** Nothing was written: the session would be larger than a node can send. */
        TOO_LARGE
    }

    private static final Outcome[] REFUSALS = { Outcome.CHANGED, Outcome.ENDED, Outcome.TOO_LARGE };

    private final Outcome outcome;
    private final long version;
    private final Confirmed confirmed;

    private Committed(Outcome outcome, long version, Confirmed confirmed) {
        this.outcome = outcome;
        this.version = version;
        this.confirmed = confirmed;
    }

    /** @return one that was written, which made {@code version} */
    public static Committed done(long version, Confirmed confirmed) {
        return new Committed(Outcome.DONE, version, confirmed);
    }

    /** @return one that was not written */
    public static Committed refused(Outcome why) {
        return new Committed(why, 0, null);
    }

    /** As ffi/jni/src/operations.rs writes it. */
    static Committed of(long code) {
        return code < 0 ? refused(REFUSALS[(int) (-code - 1)]) : done(code >>> 10, Confirmed.of(code));
    }

    /** @return how it ended */
    public Outcome outcome() {
        return outcome;
    }

    /** @return the version that it made; 0 if nothing was written */
    public long version() {
        return version;
    }

    /** @return how far it got; null if nothing was written */
    public Confirmed confirmed() {
        return confirmed;
    }
}
