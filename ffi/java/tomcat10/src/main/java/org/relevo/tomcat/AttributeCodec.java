package org.relevo.tomcat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectOutputStream;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

import org.apache.catalina.Context;

/**
 * Attribute values as bytes and back, each on its own: what can't be read costs one attribute, not the session.
 *
 * <p>The first byte is a tag for the commonest classes, or the first byte of a Java object stream.
 */
final class AttributeCodec {

    private static final byte STRING = 1;
    private static final byte INTEGER = 2;
    private static final byte LONG = 3;
    private static final byte BOOLEAN = 4;

    private final Context context;

    AttributeCodec(Context context) {
        this.context = context;
    }

    /**
     * @param value an attribute's value
     * @return its bytes
     * @throws IOException if it can't be serialized
     */
    byte[] write(Object value) throws IOException {
        if (value instanceof String) {
            return writeString((String) value);
        }
        if (value instanceof Integer) {
            return ByteBuffer.allocate(5).put(INTEGER).putInt((Integer) value).array();
        }
        if (value instanceof Long) {
            return ByteBuffer.allocate(9).put(LONG).putLong((Long) value).array();
        }
        if (value instanceof Boolean) {
            return new byte[] { BOOLEAN, (byte) ((Boolean) value ? 1 : 0) };
        }
        return writeObject(value);
    }

    /**
     * @param bytes of an attribute
     * @return its value
     * @throws UnreadableException if its class can't be loaded or its stream is broken
     */
    Object read(byte[] bytes) throws UnreadableException {
        ByteBuffer rest = ByteBuffer.wrap(bytes);
        try {
            switch (rest.get()) {
                case STRING:
                    return StandardCharsets.UTF_8.decode(rest).toString();
                case INTEGER:
                    return rest.getInt();
                case LONG:
                    return rest.getLong();
                case BOOLEAN:
                    return rest.get() != 0;
                default:
                    return readObject(bytes);
            }
        } catch (BufferUnderflowException e) {
            throw new UnreadableException("of " + bytes.length + " bytes", e);
        }
    }

    /** UTF-8 is a third of the size, but has no form for half a surrogate pair, which a String may hold. */
    private static byte[] writeString(String value) throws IOException {
        try {
            ByteBuffer utf8 = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(value));
            return ByteBuffer.allocate(1 + utf8.remaining()).put(STRING).put(utf8).array();
        } catch (CharacterCodingException e) {
            return writeObject(value);
        }
    }

    private static byte[] writeObject(Object value) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(512);
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(value);
        }
        return bytes.toByteArray();
    }

    /** Reads with the web application's classes; its code may run meanwhile and expects its own context. */
    private Object readObject(byte[] bytes) throws UnreadableException {
        ClassLoader before = context.bind(false, null);
        try (WebappObjectInputStream in =
                new WebappObjectInputStream(new ByteArrayInputStream(bytes), classLoader())) {
            return readObject(in);
        } catch (IOException e) {
            throw new UnreadableException("no object stream", e);
        } finally {
            context.unbind(false, before);
        }
    }

    private static Object readObject(WebappObjectInputStream in) throws UnreadableException {
        try {
            return in.readObject();
        } catch (IOException | ClassNotFoundException | RuntimeException | LinkageError | StackOverflowError e) {
            throw new UnreadableException("class " + in.lastClass(), e);
        }
    }

    private ClassLoader classLoader() {
        return context.getLoader() == null ? Thread.currentThread().getContextClassLoader()
                : context.getLoader().getClassLoader();
    }

    /** An attribute that can't be turned into an object here; the message names its class. */
    static final class UnreadableException extends Exception {

        private static final long serialVersionUID = 1L;

        UnreadableException(String what, Throwable cause) {
            super(what + ": " + cause, cause);
        }
    }
}
