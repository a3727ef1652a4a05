package org.relevo.tomcat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectOutputStream;
import java.io.OutputStream;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;

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
    private final ObjectFilter filter;
    private final ApplicationClasses application;

    /** A codec for an application that learns classes from no other node. */
    AttributeCodec(Context context, ObjectFilter filter) {
        this(context, filter, new LearnedClasses("none", () -> null));
    }

    AttributeCodec(Context context, ObjectFilter filter, LearnedClasses learned) {
        this.context = context;
        this.filter = filter;
        this.application = filter.application(context, learned);
    }

    /**
     * @param value an attribute's value
     * @param refused is told each class of it that the filter will refuse
     * @return its bytes
     * @throws IOException if it can't be serialized
     */
    byte[] write(Object value, Consumer<Class<?>> refused) throws IOException {
        if (value instanceof String) {
            return writeString((String) value, refused);
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
        return writeObject(value, refused);
    }

    /** The cure for a class that other nodes will refuse, as text that follows its name. */
    String cure(Class<?> type) {
        return filter.cure(type);
    }

    /**
     * @param bytes the bytes of an attribute
     * @return its value
     * @throws RefusedException if the filter refused a class or a size
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
    private byte[] writeString(String value, Consumer<Class<?>> refused) throws IOException {
        try {
            ByteBuffer utf8 = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(value));
            return ByteBuffer.allocate(1 + utf8.remaining()).put(STRING).put(utf8).array();
        } catch (CharacterCodingException e) {
            return writeObject(value, refused);
        }
    }

    private byte[] writeObject(Object value, Consumer<Class<?>> refused) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(512);
        try (ObjectOutputStream out = new CheckedOutputStream(bytes, refused)) {
            out.writeObject(value);
        }
        return bytes.toByteArray();
    }

    /** Tells of what can be written and will not be read. */
    private final class CheckedOutputStream extends ObjectOutputStream {

        private final Consumer<Class<?>> refused;

        CheckedOutputStream(OutputStream out, Consumer<Class<?>> refused) throws IOException {
            super(out);
            this.refused = refused;
        }

        @Override
        protected void annotateClass(Class<?> type) {
            if (!filter.noteWritten(type, application)) {
                refused.accept(type);
            }
        }

        @Override
        protected void annotateProxyClass(Class<?> type) {
            for (Class<?> each : type.getInterfaces()) {
                annotateClass(each);
            }
        }
    }

    /** Reads with the web application's classes; its code may run meanwhile and expects its own context. */
    private Object readObject(byte[] bytes) throws UnreadableException {
        countWork(bytes);
        ClassLoader before = context.bind(false, null);
        ObjectFilter.Reading reading = filter.reading(bytes.length, application);
        try (WebappObjectInputStream in =
                new WebappObjectInputStream(new ByteArrayInputStream(bytes), classLoader(), reading)) {
            return readObject(in, reading);
        } catch (IOException e) {
            throw new UnreadableException("no object stream", e);
        } finally {
            context.unbind(false, before);
        }
    }

    /** Before a class is loaded: while it is read, nothing can stop it. */
    private static void countWork(byte[] bytes) throws UnreadableException {
        try {
            StreamScan.work(bytes);
        } catch (ReadingWork.TooMuchWorkException e) {
            throw new RefusedException(e.getMessage(), "", e);
        } catch (IOException | RuntimeException e) {
            throw new UnreadableException("no object stream", e);
        }
    }

    private static Object readObject(WebappObjectInputStream in, ObjectFilter.Reading reading)
            throws UnreadableException {
        try {
            return in.readObject();
        } catch (IOException | ClassNotFoundException | RuntimeException | LinkageError | StackOverflowError e) {
            if (reading.refused() != null) {
                throw new RefusedException(reading.refused(), reading.cure(), e);
            }
            throw new UnreadableException("class " + in.lastClass(), e);
        }
    }

    private ClassLoader classLoader() {
        return context.getLoader() == null ? Thread.currentThread().getContextClassLoader()
                : context.getLoader().getClassLoader();
    }

    /** An attribute that can't be turned into an object here; the message names its class. */
    static class UnreadableException extends Exception {

        private static final long serialVersionUID = 1L;

        private final String what;

        UnreadableException(String what, Throwable cause) {
            super(what + ": " + cause, cause);
            this.what = what;
        }

        /** The class, without what became of it. */
        final String what() {
            return what;
        }
    }

    /** An attribute that the filter keeps from being an object here; the message names its class. */
    static final class RefusedException extends UnreadableException {

        private static final long serialVersionUID = 1L;

        private final String cure;

        RefusedException(String what, String cure, Throwable cause) {
            super(what, cause);
            this.cure = cure;
        }

        @Override
        public String getMessage() {
            return what() + cure;
        }
    }
}
