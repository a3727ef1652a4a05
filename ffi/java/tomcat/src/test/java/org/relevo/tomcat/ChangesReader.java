package org.relevo.tomcat;

import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

import org.relevo.Changes;

/** Reads packed changes as the native side does. */
final class ChangesReader {

    private ChangesReader() {
    }

    static Map<String, byte[]> read(Changes changes) {
        Map<String, byte[]> read = new LinkedHashMap<>();
        ByteBuffer bytes = ByteBuffer.wrap(packed(changes));
        while (bytes.hasRemaining()) {
            byte[] name = new byte[bytes.get() & 0xff];
            bytes.get(name);
            int length = bytes.getInt();
            byte[] value = length < 0 ? null : new byte[length];
            if (value != null) {
                bytes.get(value);
            }
            read.put(new String(name, StandardCharsets.UTF_8), value);
        }
        return read;
    }

    private static byte[] packed(Changes changes) {
        try {
            Method method = Changes.class.getDeclaredMethod("packed");
            method.setAccessible(true);
            return (byte[]) method.invoke(changes);
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }
}
