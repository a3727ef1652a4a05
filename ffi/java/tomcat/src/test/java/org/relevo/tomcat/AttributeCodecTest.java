package org.relevo.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.Serializable;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;

import org.apache.catalina.core.StandardContext;
import org.junit.jupiter.api.Test;
import org.relevo.tomcat.AttributeCodec.UnreadableException;

class AttributeCodecTest {

    private final AttributeCodec codec = new AttributeCodec(new StandardContext(), new ObjectFilter(null));

    private Object again(Object value) throws Exception {
        return codec.read(write(value));
    }

    private byte[] write(Object value) throws Exception {
        return codec.write(value, type -> fail(type + " will be refused"));
    }

    @Test
    void valuesComeBack() throws Exception {
        for (Object value : List.of("", "text äöü €", "half \ud800 a pair", 1, -1, Integer.MIN_VALUE, 1L << 40, true,
                false, 2.5, new ArrayList<>(List.of("a", 1)))) {
            assertEquals(value, again(value));
            assertEquals(value.getClass(), again(value).getClass());
        }
    }

    @Test
    void commonValuesAreSmall() throws Exception {
        assertEquals(5, write(12345).length);
        assertEquals(4, write("abc").length);
    }

    @Test
    void classesAndProxiesComeBack() throws Exception {
        assertEquals(int.class, again(int.class));
        Object proxy = Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] { Marker.class },
                (Serializable & java.lang.reflect.InvocationHandler) (self, method, arguments) -> null);
        assertTrue(again(proxy) instanceof Marker);
    }

    private interface Marker extends Serializable {
    }

    @Test
    void anyBytesGiveAValueOrOneException() {
        for (byte[] bytes : new byte[][] { {}, { 2, 0 }, { 3 }, { 4 }, { 99 }, { (byte) 0xac }, { (byte) 0xac,
                (byte) 0xed, 0, 5, 0x73, 0x72 } }) {
            assertThrows(UnreadableException.class, () -> codec.read(bytes));
        }
    }
}
