package org.relevo.tomcat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;

/** Classes and streams under any name. */
final class Forgery {

    /** Is set when a bomb is read. */
    static final String PROPERTY = "relevo.test.bomb";

    private Forgery() {
    }

    /** Says when it is read. */
    public static class Bomb implements Serializable {
        private static final long serialVersionUID = 1L;

        private void readObject(ObjectInputStream in) {
            System.setProperty(PROPERTY, getClass().getName());
        }
    }

    /** Is of a kind that gadgets are of, and a bomb too. */
    public static final class HandlingBomb extends Bomb implements java.lang.reflect.InvocationHandler {
        private static final long serialVersionUID = 1L;

        @Override
        public Object invoke(Object proxy, java.lang.reflect.Method method, Object[] arguments) {
            System.setProperty(PROPERTY, method.getName());
            return null;
        }
    }

    /** As another node sends it, whatever it is. */
    static byte[] stream(Object value) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(value);
        }
        return bytes.toByteArray();
    }

    /** The stream, or the class file, with another name in it: both have it after its length. */
    static byte[] renamed(byte[] bytes, String from, String to) {
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        String before = (char) (from.length() >> 8) + "" + (char) (from.length() & 255) + from;
        String after = (char) (to.length() >> 8) + "" + (char) (to.length() & 255) + to;
        if (!text.contains(before)) {
            throw new IllegalArgumentException(from);
        }
        return text.replace(before, after).getBytes(StandardCharsets.ISO_8859_1);
    }

    /** The class file of {@code type} under another name. */
    static byte[] classFile(Class<?> type, String name) throws IOException {
        String file = type.getName().replace('.', '/');
        try (InputStream in = type.getClassLoader().getResourceAsStream(file + ".class")) {
            return renamed(in.readAllBytes(), file, name.replace('.', '/'));
        }
    }

    /** Puts the class under another name into a library of the web application in this folder. */
    static void addLibrary(String docBase, String jar, Class<?> type, String name) throws IOException {
        Path lib = Files.createDirectories(Path.of(docBase, "WEB-INF", "lib"));
        try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(lib.resolve(jar)))) {
            out.putNextEntry(new JarEntry(name.replace('.', '/') + ".class"));
            out.write(classFile(type, name));
            out.closeEntry();
        }
    }
}
