package org.relevo;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Packed bytes from the native side: the counterpart of {@code ffi/jni/src/pack.rs}, which has the layouts. */
final class Packing {

    private Packing() {
    }

    static Contents contents(byte[] packed) {
        ByteBuffer bytes = ByteBuffer.wrap(packed);
        int maxInactive = bytes.getInt();
        long idleMillis = bytes.getLong();
        long version = bytes.getLong();
        boolean maybeStale = bytes.get() != 0;
        Map<String, byte[]> attributes = new LinkedHashMap<>();
        while (bytes.hasRemaining()) {
            String name = text(take(bytes, bytes.get() & 0xff));
            attributes.put(name, take(bytes, bytes.getInt()));
        }
        return new Contents(attributes, maxInactive, idleMillis, version, maybeStale);
    }

    static List<ListedSession> sessions(String namespace, byte[] packed) {
        List<ListedSession> sessions = new ArrayList<>();
        ByteBuffer bytes = ByteBuffer.wrap(packed);
        while (bytes.hasRemaining()) {
            SessionKey key = new SessionKey(namespace, text(take(bytes, bytes.get() & 0xff)));
            sessions.add(new ListedSession(key, bytes.get() != 0, bytes.getInt(), bytes.getLong(), bytes.getLong()));
        }
        return sessions;
    }

    static List<Completions.Completion> completions(byte[] packed) {
        List<Completions.Completion> completions = new ArrayList<>();
        ByteBuffer bytes = ByteBuffer.wrap(packed);
        while (bytes.hasRemaining()) {
            long tag = bytes.getLong();
            long code = bytes.getLong();
            int length = bytes.getInt();
            completions.add(new Completions.Completion(tag, code, length < 0 ? null : take(bytes, length)));
        }
        return completions;
    }

    static List<Event> events(byte[] packed) {
        List<Event> events = new ArrayList<>();
        ByteBuffer bytes = ByteBuffer.wrap(packed);
        while (bytes.hasRemaining()) {
            Event.Kind kind = Event.Kind.values()[bytes.get()];
            byte[] payload = take(bytes, bytes.getShort() & 0xffff);
            events.add(isAboutSession(kind) ? Event.of(kind, new SessionKey(payload)) : Event.of(kind, text(payload)));
        }
        return events;
    }

    private static boolean isAboutSession(Event.Kind kind) {
        return kind.compareTo(Event.Kind.MAYBE_STALE) <= 0;
    }

    private static byte[] take(ByteBuffer bytes, int length) {
        byte[] taken = new byte[length];
        bytes.get(taken);
        return taken;
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
