package org.relevo;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;

/**
 * The operations of one node that were started and have not ended, and the thread that ends them. That thread alone waits in
 * native code; callers wait for futures, so that a virtual thread gives its carrier to others meanwhile.
 */
final class Completions {

    /** Why an operation ended that a closed node didn't decide; the native side says the same of calls that come later. */
    static final String CLOSED = "the node is closed";

    /** Takes completions from native code. */
    interface Source {

        /** @return some completions; null if the node is closed and there are none any more */
        byte[] next() throws RelevoException;
    }

    /** The end of an operation, as native code tells it. */
    static final class Completion {

        private static final long CODE_CLOSED = -4;

        private final long tag;
        private final long code;
        private final byte[] session;

        Completion(long tag, long code, byte[] session) {
            this.tag = tag;
            this.code = code;
            this.session = session;
        }

        /** @return the outcome, as the native method returns it when it is known at once */
        long code() {
            checkOpen();
            return code;
        }

        /** @return the packed session; null if there is none */
        byte[] session() {
            checkOpen();
            return session;
        }

        private void checkOpen() {
            if (code == CODE_CLOSED) {
                throw new CompletionException(new RelevoException(CLOSED));
            }
        }
    }

    /** The thread that ends operations. */
    private static final class Completer extends Thread {

        Completer(Runnable work, String node) {
            super(null, work, "relevo-completer-" + node, 0, false);
            setDaemon(true);
            // An application's class loader must not live as long as a node.
            setContextClassLoader(null);
        }
    }

    private final Source source;

    /** By tag, what either the caller or the completion brought first; the second takes it out. */
    private final ConcurrentHashMap<Long, CompletableFuture<Completion>> open = new ConcurrentHashMap<>();

    private volatile boolean ended;

    private Completions(Source source) {
        this.source = source;
    }

    /** Starts the thread of a node. It ends when the node is closed. */
    static Completions start(String node, Source source) {
        Completions completions = new Completions(source);
        new Completer(completions::run, node).start();
        return completions;
    }

    /** The future of an operation that native code has started under this tag. */
    <T> CompletableFuture<T> future(long tag, Function<Completion, T> result) {
        CompletableFuture<Completion> future = meet(tag);
        // The thread either sees this future, or has said before that it is ending.
        if (ended) {
            fail(future);
        }
        return future.thenApply(result);
    }

    /**
     * Waits for an operation of which the outcome may be missing; an interrupt doesn't end that, and is kept.
     *
     * @throws RelevoException what the operation failed with
     * @throws IllegalStateException if it would have to wait for the thread that calls it
     */
    static <T> T join(CompletableFuture<T> future) throws RelevoException {
        if (Thread.currentThread() instanceof Completer && !future.isDone()) {
            throw new IllegalStateException("an action of a node's future waits for a node, whose thread it runs in: "
                    + "make it asynchronous, thenApplyAsync instead of thenApply");
        }
        try {
            return future.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof RelevoException) {
                throw (RelevoException) e.getCause();
            }
            throw e;
        }
    }

    private void run() {
        try {
            for (byte[] packed = source.next(); packed != null; packed = source.next()) {
                for (Completion completion : Packing.completions(packed)) {
                    meet(completion.tag).complete(completion);
                }
            }
        } catch (RelevoException e) {
            // The node was closed between two calls.
        } finally {
            ended = true;
            open.values().forEach(Completions::fail);
            open.clear();
        }
    }

    private CompletableFuture<Completion> meet(long tag) {
        CompletableFuture<Completion> first = new CompletableFuture<>();
        CompletableFuture<Completion> other = open.putIfAbsent(tag, first);
        if (other == null) {
            return first;
        }
        open.remove(tag);
        return other;
    }

    private static void fail(CompletableFuture<?> future) {
        future.completeExceptionally(new RelevoException(CLOSED));
    }
}
