package org.relevo.tomcat;

import java.nio.ByteBuffer;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Stands in the cluster for a value that can't travel. No two are alike: so the node that still has the value knows its own
 * mark when the session comes back, and that a value set elsewhere meanwhile is a newer one.
 */
final class LeftOut {

    /** No value of {@link AttributeCodec} begins with it. */
    static final byte TAG = 0;

    private static final int LENGTH = 17;

    private LeftOut() {
    }

    static byte[] marker() {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        return ByteBuffer.allocate(LENGTH).put(TAG).putLong(random.nextLong()).putLong(random.nextLong()).array();
    }

    static boolean isMarker(byte[] bytes) {
        return bytes.length == LENGTH && bytes[0] == TAG;
    }
}
