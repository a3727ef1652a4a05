package org.relevo;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The native library on loopback, under -Xcheck:jni; skipped where it isn't built (see ffi/java/build). */
class NativeNodeTest {

    private static final SessionKey KEY = new SessionKey("localhost#/shop", "6B94D0F2");

    @BeforeAll
    static void needsTheLibrary() {
        String name = "META-INF/native/librelevo_jni_" + Platform.names().get(0) + ".so";
        Assumptions.assumeTrue(NativeNodeTest.class.getClassLoader().getResource(name) != null, name);
    }

    private static NodeOptions options(String name) {
        return new NodeOptions().cluster("test").name(name).memory(1 << 20).sessions(256).noMulticast()
                .address(InetAddress.getLoopbackAddress(), 0, 0);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void aSessionsLife() throws Exception {
        try (NativeNode node = NativeNode.open(options("one"))) {
            assertEquals(0, node.version(KEY));
            assertNull(node.get(KEY));
            assertNull(node.fetch(KEY, "tomcat9"));

            Confirmed confirmed = node.commit(KEY, new Changes().put("a:n", bytes("1")), 1800, Ack.ALL);
            assertTrue(confirmed.met());
            assertEquals(1, confirmed.copies());
            assertNotEquals(0, node.version(KEY));
            node.touch(KEY);
            node.commit(KEY, new Changes().put("a:m", new byte[100_000]).remove("a:n"), -1, Ack.NONE);
            Contents contents = node.fetch(KEY, null);
            assertEquals(0, contents.maxInactive());
            assertNull(contents.attributes().get("a:n"));
            assertArrayEquals(new byte[100_000], contents.attributes().get("a:m"));

            SessionKey renamed = new SessionKey("localhost#/shop", "new");
            node.rename(KEY, "new");
            assertEquals(0, node.version(KEY));
            assertNotEquals(0, node.version(renamed));
            node.invalidate(renamed);
            assertNull(node.fetch(renamed, null));
            String message = assertThrows(RelevoException.class,
                    () -> node.commit(renamed, new Changes(), 1, Ack.NONE)).getMessage();
            assertTrue(message.contains("invalidated"), message);
        }
    }

    @Test
    void aChangeDependsOnWhatWasSeen() throws Exception {
        try (NativeNode node = NativeNode.open(options("one").maxValue(1_000))) {
            assertEquals(1_000, node.maxValue());
            Changes first = new Changes().put("a:n", bytes("1"));
            assertEquals(Committed.Outcome.CHANGED, node.commitFrom(KEY, 7, first, 60, Ack.NONE).outcome());
            Committed made = node.commitFrom(KEY, 0, first, 60, Ack.ALL);
            assertEquals(node.version(KEY), made.version());
            assertEquals(made.version(), node.fetch(KEY, null).version());
            assertEquals(Committed.Outcome.CHANGED,
                    node.commitFrom(KEY, 0, new Changes().put("a:n", bytes("2")), 60, Ack.NONE).outcome());
            assertArrayEquals(bytes("1"), node.get(KEY).attributes().get("a:n"));
            Committed next = node.commitFrom(KEY, made.version(), new Changes().put("a:n", bytes("3")), 60, Ack.NONE);
            assertEquals(Committed.Outcome.DONE, next.outcome());
            assertNotEquals(made.version(), next.version());
            assertNull(node.invalidateFrom(KEY, made.version()));
            assertTrue(node.invalidateFrom(KEY, next.version()).met());
            assertEquals(Committed.Outcome.ENDED, node.commitFrom(KEY, 0, first, 60, Ack.NONE).outcome());
        }
    }

    @Test
    void twoNodesHandOver() throws Exception {
        try (NativeNode one = NativeNode.open(options("one"))) {
            int port = Integer.parseInt(one.address().substring(one.address().indexOf(':') + 1));
            try (NativeNode two = NativeNode.open(options("two").seed(InetAddress.getLoopbackAddress(), port))) {
                awaitMembers(one);
                one.commit(KEY, new Changes().put("a:n", bytes("1")), 60, Ack.ALL);
                assertArrayEquals(bytes("1"), two.fetch(KEY, "one").attributes().get("a:n"));
                assertNotEquals(0, two.version(KEY));
                assertEquals(0, one.version(KEY));
                assertTrue(one.events().stream().anyMatch(event -> event.kind() == Event.Kind.MEMBERS
                        && event.text().startsWith("two at 127.0.0.1:")), "told in words");
                assertTrue(two.leave(5_000));
            }
        }
    }

    private static void awaitMembers(Node node) throws Exception {
        for (int i = 0; i < 1_000 && node.members().stream().filter(line -> line.contains("Alive")).count() < 2; i++) {
            Thread.sleep(50);
        }
    }

    @Test
    void whatIsStartedEndsLater() throws Exception {
        try (NativeNode one = NativeNode.open(options("one"));
                NativeNode two = NativeNode.open(options("two").seed(InetAddress.getLoopbackAddress(), port(one)))) {
            awaitMembers(one);
            List<CompletableFuture<Confirmed>> commits = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                commits.add(one.commitAsync(key("s" + i), new Changes().put("a:n", bytes("" + i)), 60, Ack.ALL));
            }
            for (CompletableFuture<Confirmed> commit : commits) {
                assertEquals(2, commit.get(1, TimeUnit.MINUTES).copies());
            }
            assertArrayEquals(bytes("7"), two.fetchAsync(key("s7"), "one").get(1, TimeUnit.MINUTES).attributes().get("a:n"));
            assertNull(two.fetchAsync(key("none"), "one").get(1, TimeUnit.MINUTES));
            Committed from = two.commitFromAsync(key("s7"), two.version(key("s7")), new Changes().put("a:n", bytes("8")), 60,
                    Ack.ALL).get(1, TimeUnit.MINUTES);
            assertEquals(two.version(key("s7")), from.version());
            assertEquals(2, from.confirmed().copies());
            assertEquals(2, two.renameAsync(key("s7"), "t7").get(1, TimeUnit.MINUTES).copies());
            assertNull(two.invalidateFromAsync(key("t7"), 1).get(1, TimeUnit.MINUTES));
            assertTrue(two.invalidateFromAsync(key("t7"), two.version(key("t7"))).get(1, TimeUnit.MINUTES).met());
            assertEquals(199, one.sessions("localhost#/shop").size());
            assertTrue(two.sessions("localhost#/shop").stream().noneMatch(ListedSession::owned));
            assertEquals(List.of(), one.sessions("other"));
            assertTrue(one.invalidateAsync(key("s8")).get(1, TimeUnit.MINUTES).met());
        }
    }

    @Test
    void anActionInTheNodesThreadMayNotWaitForTheNode() throws Exception {
        try (NativeNode one = NativeNode.open(options("one"));
                NativeNode two = NativeNode.open(options("two").seed(InetAddress.getLoopbackAddress(), port(one)))) {
            awaitMembers(one);
            Changes changes = new Changes().put("a:n", bytes("1"));
            CompletableFuture<String> waits = new CompletableFuture<>();
            for (int i = 0; !waits.isDone() && i < 10_000; i++) {
                SessionKey key = key("s" + i);
                one.commitAsync(key, changes, 60, Ack.ALL).thenAccept(done -> {
                    // If it ended before this action was there, the action runs in the thread of the test.
                    if (Thread.currentThread().isDaemon()) {
                        waits.complete(assertThrows(IllegalStateException.class,
                                () -> one.commit(key, new Changes().put("a:n", bytes("2")), 60, Ack.ALL)).getMessage());
                    }
                }).get(1, TimeUnit.MINUTES);
            }
            assertTrue(waits.getNow("never").contains("thenApplyAsync"), waits.getNow("never"));
        }
    }

    private static int port(Node node) throws Exception {
        return Integer.parseInt(node.address().substring(node.address().indexOf(':') + 1));
    }

    private static SessionKey key(String id) {
        return new SessionKey("localhost#/shop", id);
    }

    @Test
    void aClosedNodeIsAnException() throws Exception {
        NativeNode node = NativeNode.open(options("one"));
        assertTrue(node.members().get(0).startsWith("one 127.0.0.1:"));
        assertFalse(node.status().isEmpty());
        node.close();
        node.close();
        assertEquals("the node is closed", assertThrows(RelevoException.class, () -> node.version(KEY)).getMessage());
        assertThrows(RelevoException.class, () -> node.touch(KEY));
        assertThrows(RelevoException.class, node::events);
    }

    @Test
    void whatIsWrongIsSaid() throws Exception {
        String key = failure(options("one").keyFile(Path.of("/nowhere/relevo.key")));
        assertTrue(key.contains("/nowhere/relevo.key") && key.contains("relevo keygen"), key);
        String address = failure(options("one").address(InetAddress.getByName("203.0.113.1"), 4000, 2));
        assertTrue(address.contains("203.0.113.1:4000") && address.contains("no cluster key"), address);
        try (NativeNode first = NativeNode.open(options("one"))) {
            int port = Integer.parseInt(first.address().substring(first.address().indexOf(':') + 1));
            String inUse = failure(options("two").address(InetAddress.getLoopbackAddress(), port, 0));
            assertTrue(inUse.contains("127.0.0.1:" + port) && inUse.contains("autoBind"), inUse);
        }
    }

    private static String failure(NodeOptions options) {
        return assertThrows(RelevoException.class, () -> NativeNode.open(options).close()).getMessage();
    }
}
