package org.relevo.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.net.URL;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Hashtable;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;

import org.apache.catalina.core.StandardContext;
import org.junit.jupiter.api.Test;
import org.relevo.tomcat.AttributeCodec.RefusedException;

/** A value that costs more to read than its size justifies is refused before it is read. The test uses no clock. */
class ReadingWorkTest {

    private final AttributeCodec codec = new AttributeCodec(new StandardContext(), new ObjectFilter(null));

    private void assertRefused(Object value) throws Exception {
        byte[] bytes = Forgery.stream(value);
        assertThrows(ReadingWork.TooMuchWorkException.class, () -> StreamScan.work(bytes));
        assertThrows(RefusedException.class, () -> codec.read(bytes));
    }

    private void assertPasses(Object value) throws Exception {
        assertEquals(value, codec.read(Forgery.stream(value)));
    }

    /** Half a million elements once it is asked for its hash code, and a few hundred bytes. */
    private static Set<Object> nested(int depth) {
        Set<Object> set = new HashSet<>(List.of("x"));
        for (int i = 0; i < depth; i++) {
            set = new HashSet<>(Arrays.asList(set, new ArrayList<>(List.of(set, i))));
        }
        return set;
    }

    @Test
    void oneBudgetIsForAllObjectsOfAValue() throws Exception {
        Set<Object> key = nested(13);
        assertPasses(new HashMap<>(Map.of(key, 1)));
        Object[] maps = new Object[40];
        Arrays.setAll(maps, i -> new HashMap<>(Map.of(key, i)));
        assertRefused(maps);
    }

    private static List<String> colliding(int bits) {
        List<String> strings = new ArrayList<>(List.of(""));
        for (int i = 0; i < bits; i++) {
            List<String> longer = new ArrayList<>();
            strings.forEach(each -> longer.addAll(List.of(each + "Aa", each + "BB")));
            strings = longer;
        }
        return strings;
    }

    @Test
    void keysOfOneHashCodeAreRefusedWhereNoTreeFindsThem() throws Exception {
        Map<Object, Object> table = new Hashtable<>();
        colliding(13).forEach(each -> table.put(each, 1));
        assertRefused(table);
        Set<Object> lists = new HashSet<>();
        colliding(11).forEach(each -> lists.add(List.of(each)));
        assertRefused(lists);
        // Strings order themselves in a tree.
        Set<Object> strings = new HashSet<>(colliding(12));
        assertPasses(strings);
    }

    @Test
    void keysOfOnePlaceAreRefusedWhereTheyTakeTheNextFreeOne() throws Exception {
        Integer[] numbers = new Integer[6_000];
        Arrays.setAll(numbers, i -> i * numbers.length * 2);
        assertRefused(Set.of(numbers));
        Arrays.setAll(numbers, i -> i);
        assertPasses(Set.of(numbers));
    }

    @Test
    void whatIsLongerThanItsBytesIsRefusedAsAKey() throws Exception {
        assertPasses(new HashMap<>(Map.of(Collections.nCopies(5, "x"), 1)));
        byte[] few = Forgery.stream(new HashSet<>(Set.of(Collections.nCopies(5, "x"))));
        int at = new String(few, java.nio.charset.StandardCharsets.ISO_8859_1).indexOf("\0\0\0\5");
        few[at] = 0x7f;
        assertThrows(ReadingWork.TooMuchWorkException.class, () -> StreamScan.work(few));
    }

    @Test
    void whatIsComparedAtLengthIsRefused() throws Exception {
        String text = String.join("", Collections.nCopies(100_000, "x"));
        assertRefused(new PriorityQueue<>(Collections.nCopies(2_000, text)));
        assertRefused(new BigDecimal(BigInteger.ONE.shiftLeft(1_000_000), 3));
    }

    @Test
    void aKeyThatHoldsItsMapIsRefused() throws Exception {
        Map<Object, Object> map = new HashMap<>();
        List<Object> holder = new ArrayList<>();
        map.put(holder, 1);
        holder.add(map);
        assertRefused(map);
    }

    /** Two addresses of one host are equal, which is asked of the network. */
    @Test
    void anAddressIsReadAndNeverLookedUp() throws Exception {
        URL url = new URL("http://relevo.invalid/page");
        for (Object value : List.of(new ArrayList<>(List.of(url)), new TreeMap<>(Map.of("home", url)),
                new HashMap<>(Map.of("home", url)))) {
            assertTrue(codec.read(Forgery.stream(value)).toString().contains("relevo.invalid"));
        }
        Map<Object, Object> map = new java.util.IdentityHashMap<>();
        map.put(url, 1);
        assertEquals(1, ((Map<?, ?>) codec.read(Forgery.stream(map))).size());
        assertRefusedAsKey(url);
        assertRefusedAsKey(new ArrayList<>(List.of(url)));
    }

    private void assertRefusedAsKey(Object key) throws Exception {
        Map<Object, Object> map = new HashMap<>();
        map.put(key, 1);
        String message = assertThrows(RefusedException.class, () -> codec.read(Forgery.stream(map))).getMessage();
        assertTrue(message.contains("java.net.URL") && message.contains("network"), message);
    }

    @Test
    void largeValuesPass() throws Exception {
        Map<String, Object> strings = new HashMap<>();
        Map<String, Object> ordered = new Hashtable<>();
        Set<UUID> ids = new HashSet<>();
        Properties properties = new Properties();
        for (int i = 0; i < 20_000; i++) {
            strings.put("key number " + i, List.of(i, "value " + i));
            ordered.put("key " + i, i);
            ids.add(new UUID(i * 31L, i));
            properties.setProperty("name." + i, "value");
        }
        Map<String, Object> json = strings;
        for (int i = 0; i < 20; i++) {
            json = new HashMap<>(Map.of("inner", json, "number", i));
        }
        for (Object value : List.of(strings, ordered, ids, properties, json, Map.copyOf(ordered), Set.copyOf(ids),
                new ArrayList<>(ids), new TreeMap<>(ordered))) {
            assertPasses(value);
        }
    }

    /** Leaves its fields out of the stream, which doesn't say so. */
    private static final class Own implements java.io.Serializable {
        private static final long serialVersionUID = 1L;
        private int number = 7;
        private String text = "x";

        private void writeObject(java.io.ObjectOutputStream out) throws java.io.IOException {
            out.writeShort(1);
            out.writeObject(text);
            out.writeInt(number);
        }

        private void readObject(java.io.ObjectInputStream in) throws java.io.IOException, ClassNotFoundException {
            in.readShort();
            text = (String) in.readObject();
            number = in.readInt();
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Own && ((Own) other).number == number && ((Own) other).text.equals(text);
        }

        @Override
        public int hashCode() {
            return number;
        }
    }

    @Test
    void classesThatWriteNoFieldsPass() throws Exception {
        assertPasses(new ArrayList<>(List.of(new Own(), new HashMap<>(Map.of(new Own(), new Own())))));
    }

    /** Trees whose children know their parents, and what the parents share. */
    @Test
    void valuesThatHoldEachOtherPass() throws Exception {
        Map<String, Object> parent = new HashMap<>();
        List<Object> children = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            children.add(new HashMap<>(Map.of("parent", parent, "number", i)));
        }
        parent.put("children", children);
        Map<?, ?> read = (Map<?, ?>) codec.read(Forgery.stream(parent));
        assertEquals(100, ((List<?>) read.get("children")).size());
    }
}
