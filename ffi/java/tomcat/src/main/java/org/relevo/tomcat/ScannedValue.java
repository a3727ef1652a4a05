package org.relevo.tomcat;

import java.util.ArrayList;
import java.util.List;

/** The facts about an object in a stream that are known without making it: its hash code, and the cost of computing it. */
final class ScannedValue {

    /** The value for null, and for an object that contains itself. */
    static final ScannedValue NOTHING = new ScannedValue("", 1);

    final String type;

    /** Elements to look at for its hash code, or to compare it. */
    long cost;

    /** Whether it stands in itself. */
    boolean endless;

    /** Whether its end is still to come. */
    boolean open;

    /** Whether its hash code is asked of the network. */
    boolean asksTheNetwork;

    /** Its hash code; null if that isn't known without the object. */
    Integer hash;

    /** Whether a hash table can order it among others of one hash code. */
    boolean ordered;

    /** The elements, if the value is an array. */
    List<ScannedValue> elements = List.of();

    ScannedValue(String type, long cost) {
        this.type = type;
        this.cost = cost;
    }

    /** Asking this one asks that one as well. */
    void include(ScannedValue part, long times) {
        cost = plus(cost, times(part.cost, times));
        asksTheNetwork |= part.asksTheNetwork;
        endless |= part.endless || part.open;
    }

    static ScannedValue array(String type, List<ScannedValue> elements) {
        ScannedValue array = new ScannedValue(type, 1);
        array.elements = elements;
        elements.forEach(each -> array.include(each, 1));
        return array;
    }

    /** The hash code of a list of these; null if one isn't known. */
    static Integer ofList(List<ScannedValue> elements) {
        int hash = 1;
        for (ScannedValue each : elements) {
            if (each.hash == null) {
                return null;
            }
            hash = 31 * hash + each.hash;
        }
        return hash;
    }

    /** The hash code of a set of these, or of a map of these keys and values. */
    static Integer ofTable(List<ScannedValue> keys, List<ScannedValue> values) {
        int hash = 0;
        for (int i = 0; i < keys.size(); i++) {
            ScannedValue value = values.isEmpty() ? null : values.get(i);
            if (keys.get(i).hash == null || value != null && value.hash == null) {
                return null;
            }
            hash += keys.get(i).hash ^ (value == null ? 0 : value.hash);
        }
        return hash;
    }

    /** Every second one of them. */
    static List<ScannedValue> everySecond(List<ScannedValue> all, int first) {
        List<ScannedValue> some = new ArrayList<>();
        for (int i = first; i < all.size(); i += 2) {
            some.add(all.get(i));
        }
        return some;
    }

    static long plus(long a, long b) {
        return a + b < 0 ? Long.MAX_VALUE : a + b;
    }

    private static long times(long a, long b) {
        return b != 0 && a > Long.MAX_VALUE / b ? Long.MAX_VALUE : a * b;
    }
}
