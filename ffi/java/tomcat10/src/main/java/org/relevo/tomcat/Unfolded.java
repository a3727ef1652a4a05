package org.relevo.tomcat;

import java.util.Collection;
import java.util.IdentityHashMap;
import java.util.Map;

/**
 * How large the collections of a value are when what they share counts as often as it is met: the work of their hash
 * codes, which a hash table asks for as soon as it is read. A few dozen sets of two in each other have no end.
 */
final class Unfolded {

    /** Elements that nobody holds on purpose, and that take no noticeable time. */
    static final long MOST = 4_000_000;

    private final Map<Object, Long> sizes = new IdentityHashMap<>();

    /** The size of an object that has been read, as all that it holds has been before. */
    long add(Object value) {
        long size = 1;
        if (value == null || !value.getClass().getName().startsWith("java.util.")) {
            return size;
        }
        try {
            if (value instanceof Collection) {
                size += elements((Collection<?>) value);
            } else if (value instanceof Map) {
                size += elements(((Map<?, ?>) value).keySet()) + elements(((Map<?, ?>) value).values());
            } else if (value instanceof Map.Entry) {
                size += size(((Map.Entry<?, ?>) value).getKey()) + size(((Map.Entry<?, ?>) value).getValue());
            }
        } catch (RuntimeException e) {
            // A view of an application's own collection, which can't be looked at just now.
        }
        if (size > 1) {
            sizes.put(value, size);
        }
        return size;
    }

    private long elements(Collection<?> elements) {
        long size = 0;
        for (Object each : elements) {
            size += size(each);
        }
        return size;
    }

    private long size(Object value) {
        return sizes.getOrDefault(value, 1L);
    }
}
