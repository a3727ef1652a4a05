package org.relevo.tomcat;

/** Stands in a session for a value that came as bytes: no application has asked for it yet, or it can't be read here. */
final class StoredAttribute {

    /** The time after which a value that couldn't be read is tried again, since its class may be allowed by then. */
    private static final long AGAIN_NANOS = 10_000_000_000L;

    private final byte[] bytes;
    private volatile boolean failed;
    private volatile long failedAt;

    StoredAttribute(byte[] bytes) {
        this.bytes = bytes;
    }

    byte[] bytes() {
        return bytes;
    }

    /** Notes that it couldn't be read. */
    void setFailed() {
        failedAt = System.nanoTime();
        failed = true;
    }

    /** Whether it couldn't be read just now. */
    boolean hasFailed() {
        return failed && System.nanoTime() - failedAt < AGAIN_NANOS;
    }
}
