package org.relevo.tomcat;

import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/**
 * All objects of sessions that somebody may still use, by id without a route: also those whose session is served
 * elsewhere and that only a WebSocket or a thread of the application holds. There is one object of a session, never two.
 *
 * <p>Objects are held weakly, but for those that have something which the cluster can't give back.
 */
final class Reachable {

    private final Map<String, Entry> entries = new ConcurrentHashMap<>();
    private final Set<RelevoSession> held = ConcurrentHashMap.newKeySet();
    private final ReferenceQueue<RelevoSession> collected = new ReferenceQueue<>();

    private static final class Entry extends WeakReference<RelevoSession> {

        private final String id;

        Entry(String id, RelevoSession session, ReferenceQueue<RelevoSession> collected) {
            super(session, collected);
            this.id = id;
        }
    }

    /** The object of this session, or null. */
    RelevoSession get(String id) {
        Entry entry = entries.get(id);
        return entry == null ? null : entry.get();
    }

    /** The object of this session; if there is none, the one that {@code made} makes. */
    RelevoSession getOrPut(String id, Supplier<RelevoSession> made) {
        forgetCollected();
        RelevoSession[] found = new RelevoSession[1];
        entries.compute(id, (key, entry) -> {
            found[0] = entry == null ? null : entry.get();
            if (found[0] != null) {
                return entry;
            }
            found[0] = made.get();
            return new Entry(id, found[0], collected);
        });
        return found[0];
    }

    void put(String id, RelevoSession session) {
        forgetCollected();
        entries.put(id, new Entry(id, session, collected));
    }

    /** The object isn't that of this session any more. */
    void remove(String id, RelevoSession session) {
        entries.computeIfPresent(id, (key, entry) -> entry.get() == session ? null : entry);
    }

    /** Holds the object although nobody may use it, until {@link #letGo}. */
    void hold(RelevoSession session) {
        held.add(session);
    }

    void letGo(RelevoSession session) {
        held.remove(session);
    }

    List<RelevoSession> all() {
        List<RelevoSession> all = new ArrayList<>();
        for (Entry entry : entries.values()) {
            RelevoSession session = entry.get();
            if (session != null) {
                all.add(session);
            }
        }
        return all;
    }

    void clear() {
        entries.clear();
        held.clear();
    }

    private void forgetCollected() {
        for (Reference<?> each = collected.poll(); each != null; each = collected.poll()) {
            entries.remove(((Entry) each).id, each);
        }
    }
}
