package org.relevo;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CompletionException;

import org.junit.jupiter.api.Test;

/** The layouts; the bytes are those of the tests in ffi/jni/src/pack.rs. */
class PackingTest {

    private static byte[] bytes(String latin1) {
        return latin1.getBytes(StandardCharsets.ISO_8859_1);
    }

    @Test
    void key() {
        SessionKey key = new SessionKey("h#/", "6B94");
        assertArrayEquals(bytes("\3h#/6B94"), key.packed());
        assertEquals("h#/", key.namespace());
        assertEquals("6B94", key.id());
        assertEquals("h#/6B9401…".replace("h#/", "h#//"), new SessionKey("h#/", "6B9401AB").toString());
        assertThrows(IllegalArgumentException.class, () -> new SessionKey("h", ""));
        assertThrows(IllegalArgumentException.class, () -> new SessionKey("h".repeat(65), "x"));
        assertTrue(SessionKey.isId("x".repeat(128)));
        assertFalse(SessionKey.isId("x".repeat(129)));
    }

    @Test
    void changes() {
        Changes changes = new Changes().put("a", bytes("xy")).remove("b").put("c", new byte[0]);
        assertEquals(3, changes.count());
        assertArrayEquals(bytes("\1a\0\0\0\2xy\1b\377\377\377\377\1c\0\0\0\0"), changes.packed());
        assertThrows(IllegalArgumentException.class, () -> new Changes().remove("n".repeat(256)));
    }

    @Test
    void contents() {
        Contents contents = Packing.contents(bytes("\0\0\7\10\0\0\0\0\0\0\1\2\0\0\0\0\0\0\0\5\1\1a\0\0\0\2xy"));
        assertEquals(1800, contents.maxInactive());
        assertEquals(258, contents.idleMillis());
        assertEquals(5, contents.version());
        assertTrue(contents.maybeStale());
        assertArrayEquals(bytes("xy"), contents.attributes().get("a"));
    }

    @Test
    void events() {
        List<Event> events = Packing.events(bytes("\1\0\10\3h#/6B94\6\0\5hello\5\0\0"));
        assertEquals(Event.Kind.INVALIDATED, events.get(0).kind());
        assertEquals(new SessionKey("h#/", "6B94"), events.get(0).session());
        assertEquals("hello", events.get(1).text());
        assertEquals(Event.Kind.RESYNC, events.get(2).kind());
        assertEquals(List.of(), Packing.events(new byte[0]));
    }

    @Test
    void sessions() {
        List<ListedSession> sessions = Packing.sessions("h#/", bytes("\u00046B94\1\0\0\7\10\0\0\0\0\0\0\1\2\0\0\0\0\0\0\0\5"));
        assertEquals(1, sessions.size());
        assertEquals(new SessionKey("h#/", "6B94"), sessions.get(0).key());
        assertTrue(sessions.get(0).owned());
        assertEquals(1_800, sessions.get(0).maxInactive());
        assertEquals(258, sessions.get(0).idleMillis());
        assertEquals(5, sessions.get(0).version());
    }

    @Test
    void completions() {
        List<Completions.Completion> completions = Packing.completions(new byte[] {
            0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 1, 2, -1, -1, -1, -1,
            0, 0, 0, 0, 0, 0, 0, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 7, 8,
            0, 0, 0, 0, 0, 0, 0, 19, -1, -1, -1, -1, -1, -1, -1, -4, -1, -1, -1, -1 });
        assertEquals(3, completions.size());
        assertEquals(258, completions.get(0).code());
        assertNull(completions.get(0).session());
        assertArrayEquals(new byte[] { 7, 8 }, completions.get(1).session());
        Throwable closed = assertThrows(CompletionException.class, completions.get(2)::code).getCause();
        assertEquals(RelevoException.class, closed.getClass());
    }

    @Test
    void acknowledgements() {
        assertEquals(-1, Ack.ALL.code());
        assertEquals(0, Ack.NONE.code());
        assertEquals(2, Ack.copies(2).code());
        assertEquals(259, Ack.atLeast(3).code());
        assertTrue(Confirmed.of(258).met());
        assertEquals(2, Confirmed.of(258).copies());
        assertFalse(Confirmed.of(1).met());
        assertEquals(5, Committed.of(5 << 10 | 258).version());
        assertEquals(2, Committed.of(5 << 10 | 258).confirmed().copies());
        assertEquals(0xffff_ffff_ffffL, Committed.of(0xffff_ffff_ffffL << 10 | 258).version());
        assertEquals(Committed.Outcome.CHANGED, Committed.of(-1).outcome());
        assertEquals(Committed.Outcome.ENDED, Committed.of(-2).outcome());
        assertEquals(Committed.Outcome.TOO_LARGE, Committed.of(-3).outcome());
    }
}
