package org.relevo;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Names a session: the application it belongs to and its id without the route suffix. Immutable; holds the packed
 * form, so that a session's key is made once and not at every call.
 */
public final class SessionKey {

    /** Longest namespace in bytes. */
    public static final int MAX_NAMESPACE = 64;

    /** Longest id in bytes. */
    public static final int MAX_ID = 128;

    private final byte[] packed;

    /**
     * @param namespace the application, at most {@value #MAX_NAMESPACE} bytes of UTF-8
     * @param id the id without its route, 1 to {@value #MAX_ID} bytes of UTF-8
     * @throws IllegalArgumentException if one of them is longer, or the id is empty
     */
    public SessionKey(String namespace, String id) {
        byte[] first = utf8(namespace, "namespace", MAX_NAMESPACE);
        byte[] second = utf8(id, "session id", MAX_ID);
        if (second.length == 0) {
            throw new IllegalArgumentException("session id: is empty");
        }
        packed = new byte[1 + first.length + second.length];
        packed[0] = (byte) first.length;
        System.arraycopy(first, 0, packed, 1, first.length);
        System.arraycopy(second, 0, packed, 1 + first.length, second.length);
    }

    SessionKey(byte[] packed) {
        this.packed = packed;
    }

    /** @return whether a node could keep a session of this id */
    public static boolean isId(String id) {
        return !id.isEmpty() && id.getBytes(StandardCharsets.UTF_8).length <= MAX_ID;
    }

    /** @return the application */
    public String namespace() {
        return new String(packed, 1, packed[0], StandardCharsets.UTF_8);
    }

    /** @return the id without its route */
    public String id() {
        int start = 1 + packed[0];
        return new String(packed, start, packed.length - start, StandardCharsets.UTF_8);
    }

    /** The bytes as {@link Packing} says; not to be changed. */
    byte[] packed() {
        return packed;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof SessionKey && Arrays.equals(packed, ((SessionKey) other).packed);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(packed);
    }

    /** Shows the namespace and the first six characters of the id: a whole id is a password. */
    @Override
    public String toString() {
        return namespace() + "/" + abbreviate(id());
    }

    /**
     * @param id a session id
     * @return its first six characters: enough to find it in a log, too few to use it
     */
    public static String abbreviate(String id) {
        return id.length() <= 6 ? id : id.substring(0, 6) + "…";
    }

    private static byte[] utf8(String text, String what, int most) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        if (bytes.length > most) {
            throw new IllegalArgumentException(what + ": " + bytes.length + " bytes, at most " + most);
        }
        return bytes;
    }
}
