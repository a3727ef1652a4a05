package org.relevo.tomcat;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The work that it takes to read a value, counted before it is read: one budget, which grows with the value's bytes.
 *
 * <p>A unit is about what a hash table does for an entry, some 10 ns. Collections ask their keys for hash codes and
 * compare them while they are read, so that a few bytes can cost hours; all else is in proportion to the bytes.
 */
final class ReadingWork {

    private static final long FLOOR = 256 * 1024;
    private static final long FOR_EACH_BYTE = 8;

    /** A value costs less than this unless it was made to cost much, also if its shared parts count each time. */
    private static final long UNFOLDED = 1L << 32;

    static final long OF_A_DESCRIPTION = 200;
    static final long OF_A_PROXY = 50_000;

    private static final Set<String> TREES = Set.of("java.util.HashMap", "java.util.LinkedHashMap", "java.util.HashSet",
            "java.util.LinkedHashSet", "java.util.concurrent.ConcurrentHashMap");
    private static final Set<String> COMPARES = Set.of("java.util.PriorityQueue",
            "java.util.concurrent.PriorityBlockingQueue", "java.util.concurrent.ConcurrentSkipListMap",
            "java.util.concurrent.ConcurrentSkipListSet");
    private static final Set<String> LISTS = Set.of("java.util.ArrayList", "java.util.LinkedList",
            "java.util.concurrent.CopyOnWriteArrayList");

    /** Classes that can be ordered: a hash table finds such keys quickly even if many have one hash code. */
    private static final Set<String> ORDERED = Set.of("java.math.BigInteger", "java.math.BigDecimal", "java.util.Date",
            "java.sql.Date", "java.sql.Time", "java.sql.Timestamp", "java.time.Ser", "java.net.URI", "java.io.File",
            "java.util.GregorianCalendar");

    /** Collections of libraries whose hash codes are computed from their elements. */
    private static final List<String> COLLECTIONS = List.of("com.google.common.collect.",
            "org.apache.commons.collections", "org.apache.commons.lang3.tuple.", "org.eclipse.collections.", "kotlin.",
            "scala.", "io.vavr.");

    private final long budget;
    private long spent;

    ReadingWork(int bytes) {
        budget = FLOOR + FOR_EACH_BYTE * bytes;
    }

    /** Units so far. */
    long spent() {
        return spent;
    }

    void spend(long units, String type) throws TooMuchWorkException {
        spent = ScannedValue.plus(spent, units);
        if (spent > budget) {
            throw new TooMuchWorkException("class " + type + " asks for more work than its bytes allow");
        }
    }

    /** Adds the work of one class of an object: its fields, and the data that it writes by itself. */
    void level(ScannedValue object, StreamScan.Level level) throws TooMuchWorkException {
        String name = level.name;
        if (!isValue(name)) {
            return;
        }
        long times = name.equals("java.util.Collections$CopiesList") ? Math.max(level.number("n"), 0) : 1;
        for (List<ScannedValue> parts : List.of(level.fields, level.written)) {
            for (ScannedValue each : parts) {
                object.include(each, times);
            }
        }
        simpleValue(object, level);
        collection(object, level);
        if (!object.asksTheNetwork && object.cost > UNFOLDED) {
            throw new TooMuchWorkException("class " + name + " holds itself too many times");
        }
    }

    private static boolean isValue(String name) {
        return name.startsWith("java.") || name.startsWith("javax.") || name.startsWith("com.sun.")
                || COLLECTIONS.stream().anyMatch(name::startsWith);
    }

    private void simpleValue(ScannedValue object, StreamScan.Level level) throws TooMuchWorkException {
        String name = level.name;
        object.ordered |= ORDERED.contains(name);
        switch (name) {
            case "java.lang.Integer": case "java.lang.Short": case "java.lang.Byte": case "java.lang.Character":
            case "java.lang.Long": case "java.lang.Boolean":
                object.hash = Long.hashCode(level.number("value"));
                if (!name.equals("java.lang.Long")) {
                    object.hash = name.equals("java.lang.Boolean") ? Boolean.hashCode(level.number("value") != 0)
                            : (int) level.number("value");
                }
                object.ordered = true;
                break;
            case "java.lang.Double": case "java.lang.Float":
                object.hash = Long.hashCode(level.number("value"));
                object.ordered = true;
                break;
            case "java.util.UUID":
                object.hash = Long.hashCode(level.number("mostSigBits") ^ level.number("leastSigBits"));
                object.ordered = true;
                break;
            case "java.net.URL":
                object.asksTheNetwork = true;
                break;
            case "java.math.BigDecimal": case "com.sun.org.apache.xerces.internal.jaxp.datatype.SerializedDuration":
                // These compute powers of ten, or numbers from digits.
                spend(Math.min(object.cost, 1 << 24) * Math.min(object.cost, 1 << 24) / 16, name);
                break;
            case "java.security.KeyRep": case "java.security.cert.Certificate$CertificateRep":
            case "java.security.cert.CertPath$CertPathRep": case "javax.security.auth.x500.X500Principal":
            case "javax.security.auth.kerberos.KerberosPrincipal":
                spend(5_000, name);
                break;
            case "java.lang.invoke.SerializedLambda":
                spend(2_000, name);
                break;
            default:
                spend(name.startsWith("java.text.") || name.endsWith("Calendar") ? 500 : 0, name);
                break;
        }
    }

    private void collection(ScannedValue object, StreamScan.Level level) throws TooMuchWorkException {
        String name = level.name;
        boolean pairs = name.endsWith("Map") || name.equals("java.util.Hashtable") || level.number("tag") == 3;
        List<ScannedValue> keys = pairs ? ScannedValue.everySecond(level.written, 0) : level.written;
        List<ScannedValue> values = pairs ? ScannedValue.everySecond(level.written, 1) : List.of();
        boolean inherited = level.written.isEmpty() && object.hash != null;
        if (inherited || values.size() != (pairs ? keys.size() : 0)) {
            return;
        }
        if (LISTS.contains(name) || name.equals("java.util.CollSer") && level.number("tag") == 1) {
            object.hash = ScannedValue.ofList(level.written);
        } else if (name.equals("java.util.Arrays$ArrayList") && level.fields.size() == 1) {
            object.hash = ScannedValue.ofList(level.fields.get(0).elements);
        } else if (TREES.contains(name)) {
            object.hash = ScannedValue.ofTable(keys, values);
            ask(keys, name);
            spend(inTrees(keys), name);
        } else if (name.equals("java.util.Hashtable")) {
            object.hash = ScannedValue.ofTable(keys, values);
            ask(keys, name);
            spend(inPlaces(keys, hashtableLength(level), false), name);
        } else if (name.equals("java.util.CollSer")) {
            object.hash = ScannedValue.ofTable(keys, values);
            ask(keys, name);
            spend(inPlaces(keys, 2 * keys.size(), true), name);
        } else if (COMPARES.contains(name) || !name.startsWith("java")) {
            ask(level.written, name);
            for (ScannedValue field : level.fields) {
                ask(field.elements, name);
            }
        }
    }

    /** Each key is asked for its hash code, and compared with another one. */
    private void ask(List<ScannedValue> keys, String type) throws TooMuchWorkException {
        for (ScannedValue key : keys) {
            if (key.endless) {
                throw new TooMuchWorkException("class " + type + " has a key that holds itself");
            }
            if (key.asksTheNetwork) {
                throw new TooMuchWorkException("class " + type + " asks a java.net.URL for its hash code, and that asks"
                        + " the network");
            }
            spend(ScannedValue.plus(key.cost, key.cost), type);
        }
    }

    /** Each of the keys that share a hash code and can't be ordered is compared with all others. */
    private static long inTrees(List<ScannedValue> keys) {
        Map<Object, Integer> together = new HashMap<>();
        long compared = 0;
        for (ScannedValue key : keys) {
            if (!key.ordered && (key.hash != null || isValue(key.type))) {
                int before = together.merge(key.hash == null ? key.type : key.hash, 1, Integer::sum) - 1;
                compared = ScannedValue.plus(compared, before * Math.min(key.cost, 1 << 20));
            }
        }
        return compared;
    }

    /** A table with chains, or one in which a key takes the next free place. */
    private static long inPlaces(List<ScannedValue> keys, int length, boolean next) {
        int[] chains = new int[Math.max(length, 1)];
        long unknown = 0;
        long steps = 0;
        for (ScannedValue key : keys) {
            if (key.hash == null) {
                unknown += isValue(key.type) ? 1 : 0;
                continue;
            }
            int place = next ? Math.floorMod(key.hash, chains.length) : (key.hash & 0x7fffffff) % chains.length;
            while (next && chains[place] != 0 && steps < UNFOLDED) {
                place = (place + 1) % chains.length;
                steps++;
                if (steps % (1 << 24) == 0) {
                    return UNFOLDED;
                }
            }
            steps += chains[place]++;
        }
        return (steps + unknown * unknown) / 8;
    }

    /** The length of the table as {@code Hashtable.readObject} computes it. */
    private static int hashtableLength(StreamScan.Level level) {
        int elements = Math.min(Math.max(level.block(4), 0), level.written.size() / 2);
        float factor = Math.min(Math.max(0.25f, Float.intBitsToFloat((int) level.number("loadFactor"))), 4.0f);
        int most = Math.max(level.block(0), (int) (elements / factor) + 1);
        int length = (int) ((elements + elements / 20) / factor) + 3;
        if (length > elements && (length & 1) == 0) {
            length--;
        }
        return Math.max(Math.min(length, most), 1);
    }

    /** Reading the value would take more work than its length allows; the message names a class. */
    static final class TooMuchWorkException extends Exception {

        private static final long serialVersionUID = 1L;

        TooMuchWorkException(String what) {
            super(what);
        }
    }
}
