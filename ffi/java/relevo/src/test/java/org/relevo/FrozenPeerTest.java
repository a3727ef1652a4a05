package org.relevo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Threads that wait for a peer which stands still, a process of its own that is stopped by a signal. */
class FrozenPeerTest {

    private static final int THREADS = 64;

    private NativeNode node;
    private Process peer;

    @BeforeEach
    void openBoth() throws Exception {
        String name = "META-INF/native/librelevo_jni_linux_x86_64.so";
        Assumptions.assumeTrue(FrozenPeerTest.class.getClassLoader().getResource(name) != null, name);
        node = NativeNode.open(options("one"));
        int port = Integer.parseInt(node.address().substring(node.address().indexOf(':') + 1));
        peer = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-cp",
                System.getProperty("java.class.path"), Peer.class.getName(), "" + port).redirectErrorStream(true).start();
        BufferedReader out = new BufferedReader(new InputStreamReader(peer.getInputStream(), StandardCharsets.UTF_8));
        String line = out.readLine();
        while (line != null && !line.equals("joined")) {
            line = out.readLine();
        }
        assertEquals("joined", line);
        awaitMember(node, "two");
    }

    @AfterEach
    void closeBoth() {
        if (peer != null) {
            peer.destroyForcibly();
            node.close();
        }
    }

    @Test
    void anotherThreadGoesOnWhileManyWait() throws Exception {
        otherGoesOnWhileManyWait(Executors.newCachedThreadPool());
    }

    @Test
    void anotherVirtualThreadGoesOnWhileManyWait() throws Exception {
        // Java 21 has them. This class is compiled for older ones too.
        Assumptions.assumeTrue(Runtime.version().feature() >= 21, "virtual threads need Java 21");
        otherGoesOnWhileManyWait(
                (ExecutorService) Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null));
    }

    private void otherGoesOnWhileManyWait(ExecutorService threads) throws Exception {
        freeze();
        CountDownLatch calling = new CountDownLatch(THREADS);
        List<Future<Confirmed>> waiting = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            SessionKey key = new SessionKey("localhost#/shop", "s" + i);
            waiting.add(threads.submit(() -> {
                calling.countDown();
                return node.commit(key, new Changes().put("a:n", new byte[100]), 60, Ack.ALL);
            }));
        }
        assertTrue(calling.await(1, TimeUnit.MINUTES), "only " + (THREADS - calling.getCount()) + " could begin");
        Future<Integer> other = threads.submit(() -> {
            int slept = 0;
            for (; slept < 20; slept++) {
                Thread.sleep(1);
            }
            return slept;
        });
        assertEquals(20, other.get(1, TimeUnit.MINUTES));
        assertTrue(waiting.stream().noneMatch(Future::isDone), "they wait for the peer");
        signal("CONT");
        for (Future<Confirmed> commit : waiting) {
            assertEquals(2, commit.get(1, TimeUnit.MINUTES).copies());
        }
        threads.shutdownNow();
    }

    @Test
    void closingEndsWhatWaits() throws Exception {
        freeze();
        ExecutorService threads = Executors.newCachedThreadPool();
        CountDownLatch calling = new CountDownLatch(1);
        Future<Confirmed> waiting = threads.submit(() -> {
            calling.countDown();
            return node.commit(new SessionKey("localhost#/shop", "s"), new Changes().put("a:n", new byte[1]), 60, Ack.ALL);
        });
        Future<Confirmed> started = node.commitAsync(new SessionKey("localhost#/shop", "t"),
                new Changes().put("a:n", new byte[1]), 60, Ack.ALL);
        assertTrue(calling.await(1, TimeUnit.MINUTES));
        node.close();
        for (Future<Confirmed> open : List.of(waiting, started)) {
            Throwable cause = assertThrows(ExecutionException.class, () -> open.get(1, TimeUnit.MINUTES)).getCause();
            assertEquals(RelevoException.class, cause.getClass());
            assertTrue(cause.getMessage().startsWith("the node is closed"), cause.getMessage());
        }
        threads.shutdownNow();
    }

    @Test
    void anInterruptDoesNotEndTheWaitAndIsKept() throws Exception {
        freeze();
        CountDownLatch calling = new CountDownLatch(1);
        boolean[] interrupted = new boolean[1];
        Confirmed[] done = new Confirmed[1];
        Thread waiting = new Thread(() -> {
            calling.countDown();
            try {
                done[0] = node.commit(new SessionKey("localhost#/shop", "s"), new Changes().put("a:n", new byte[1]), 60,
                        Ack.ALL);
            } catch (RelevoException e) {
                throw new IllegalStateException(e);
            }
            interrupted[0] = Thread.currentThread().isInterrupted();
        });
        waiting.start();
        assertTrue(calling.await(1, TimeUnit.MINUTES));
        waiting.interrupt();
        signal("CONT");
        waiting.join(60_000);
        assertEquals(2, done[0].copies());
        assertTrue(interrupted[0], "kept");
    }

    /** Stops the peer. The signal alone isn't enough: its threads may go on for a moment. */
    private void freeze() throws Exception {
        signal("STOP");
        while (!isFrozen()) {
            Thread.sleep(1);
        }
    }

    private boolean isFrozen() throws Exception {
        try (Stream<Path> threads = Files.list(Path.of("/proc", "" + peer.pid(), "task"))) {
            for (Path thread : threads.collect(Collectors.toList())) {
                // The state follows the name, which is in parentheses.
                String stat = Files.readString(thread.resolve("stat"));
                if (stat.charAt(stat.lastIndexOf(')') + 2) != 'T') {
                    return false;
                }
            }
        }
        return true;
    }

    private void signal(String name) throws Exception {
        assertEquals(0, new ProcessBuilder("kill", "-" + name, "" + peer.pid()).start().waitFor());
    }

    /** The peer is believed alive, and waited for, longer than any test takes. */
    private static NodeOptions options(String name) {
        return new NodeOptions().cluster("test").name(name).memory(1 << 20).sessions(256).noMulticast()
                .address(InetAddress.getLoopbackAddress(), 0, 0).dropTime(300_000).ackTimeout(300_000);
    }

    private static void awaitMember(Node node, String name) throws Exception {
        while (node.members().stream().noneMatch(line -> line.startsWith(name + " ") && line.contains("Alive"))) {
            Thread.sleep(20);
        }
    }

    /** A node that lives until it is killed. */
    static final class Peer {

        public static void main(String[] arguments) throws Exception {
            int port = Integer.parseInt(arguments[0]);
            NativeNode node = NativeNode.open(options("two").seed(InetAddress.getLoopbackAddress(), port));
            awaitMember(node, "one");
            System.out.println("joined");
            Thread.currentThread().join();
        }
    }
}
