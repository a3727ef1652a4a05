package org.relevo;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/** The changes of one commit: attributes to write and to remove, packed as they are added. Not thread-safe. */
public final class Changes {

    /** Longest attribute name in bytes. */
    public static final int MAX_NAME = 255;

    private final ByteArrayOutputStream packed = new ByteArrayOutputStream(256);
    private int count;

    /**
     * Writes an attribute.
     *
     * @param name at most {@value #MAX_NAME} bytes of UTF-8
     * @param value its bytes
     * @return this
     * @throws IllegalArgumentException if the name is longer
     */
    public Changes put(String name, byte[] value) {
        name(name);
        number(value.length);
        packed.write(value, 0, value.length);
        return this;
    }

    /**
     * Removes an attribute.
     *
     * @param name at most {@value #MAX_NAME} bytes of UTF-8
     * @return this
     * @throws IllegalArgumentException if the name is longer
     */
    public Changes remove(String name) {
        name(name);
        number(-1);
        return this;
    }

    /** @return how many attributes change */
    public int count() {
        return count;
    }

    /** @return whether a node could keep an attribute of this name */
    public static boolean isName(String name) {
        return name.length() <= MAX_NAME && name.getBytes(StandardCharsets.UTF_8).length <= MAX_NAME;
    }

    byte[] packed() {
        return packed.toByteArray();
    }

    private void name(String name) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        if (bytes.length > MAX_NAME) {
            throw new IllegalArgumentException(
                    "attribute " + name + ": name of " + bytes.length + " bytes, at most " + MAX_NAME);
        }
        packed.write(bytes.length);
        packed.write(bytes, 0, bytes.length);
        count++;
    }

    private void number(int number) {
        packed.write(number >>> 24);
        packed.write(number >>> 16);
        packed.write(number >>> 8);
        packed.write(number);
    }
}
