package org.relevo;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.LongFunction;
import java.util.stream.Collectors;

/** A node in the native library: one crossing per operation. Using it after {@link #close} gives an exception. */
public final class NativeNode implements Node {

    /** The first tag; no outcome is such a number, negated (ffi/jni/src/operations.rs). */
    private static final long FIRST_TAG = 16;

    /** Names the node on the native side; never given twice, so a stale one finds nothing. */
    private final long handle;

    private final Completions completions;

    private NativeNode(long handle, String name) {
        this.handle = handle;
        this.completions = Completions.start(name, () -> completions(handle));
    }

    /**
     * Binds the sockets and begins discovery; never waits for peers.
     *
     * @param options what the node needs to know
     * @return the node, to be closed
     * @throws RelevoException if the library can't be loaded or the node can't start
     */
    public static NativeNode open(NodeOptions options) throws RelevoException {
        NativeLoader.load();
        long handle = open(String.join("\n", options.lines()));
        return new NativeNode(handle, address(handle));
    }

    @Override
    public CompletableFuture<Confirmed> commitAsync(SessionKey key, Changes changes, int maxInactive, Ack ack) {
        return number(() -> commit(handle, key.packed(), changes.packed(), maxInactive, ack.code()), Confirmed::of);
    }

    @Override
    public CompletableFuture<Committed> commitFromAsync(SessionKey key, long base, Changes changes, int maxInactive,
            Ack ack) {
        return number(() -> commitFrom(handle, key.packed(), base, changes.packed(), maxInactive, ack.code()),
                Committed::of);
    }

    @Override
    public CompletableFuture<Contents> fetchAsync(SessionKey key, String hint) {
        byte[] started;
        try {
            started = fetch(handle, key.packed(), hint);
        } catch (RelevoException e) {
            return CompletableFuture.failedFuture(e);
        }
        if (started == null || started.length != Long.BYTES) {
            return CompletableFuture.completedFuture(contents(started));
        }
        return completions.future(ByteBuffer.wrap(started).getLong(), completion -> contents(completion.session()));
    }

    @Override
    public CompletableFuture<Confirmed> invalidateAsync(SessionKey key) {
        return number(() -> invalidate(handle, key.packed()), Confirmed::of);
    }

    @Override
    public CompletableFuture<Confirmed> invalidateFromAsync(SessionKey key, long base) {
        return number(() -> invalidateFrom(handle, key.packed(), base), code -> code < 0 ? null : Confirmed.of(code));
    }

    @Override
    public CompletableFuture<Confirmed> renameAsync(SessionKey key, String id) {
        return number(() -> rename(handle, key.packed(), id.getBytes(StandardCharsets.UTF_8)), Confirmed::of);
    }

    /** Starts an operation in native code. */
    private interface Start {

        /** @return the code of the outcome, or a negated tag */
        long run() throws RelevoException;
    }

    /** Starts an operation whose outcome is a number. */
    private <T> CompletableFuture<T> number(Start start, LongFunction<T> result) {
        long code;
        try {
            code = start.run();
        } catch (RelevoException e) {
            return CompletableFuture.failedFuture(e);
        }
        return code > -FIRST_TAG ? CompletableFuture.completedFuture(result.apply(code))
                : completions.future(-code, completion -> result.apply(completion.code()));
    }

    @Override
    public long version(SessionKey key) throws RelevoException {
        return sessionVersion(handle, key.packed());
    }

    @Override
    public int maxValue() throws RelevoException {
        return maxValue(handle);
    }

    @Override
    public Contents get(SessionKey key) throws RelevoException {
        return contents(get(handle, key.packed()));
    }

    @Override
    public void touch(SessionKey key) throws RelevoException {
        touch(handle, key.packed());
    }

    @Override
    public List<ListedSession> sessions(String namespace) throws RelevoException {
        return Packing.sessions(namespace, sessions(handle, namespace.getBytes(StandardCharsets.UTF_8)));
    }

    @Override
    public List<Event> events() throws RelevoException {
        return Packing.events(nextEvents(handle));
    }

    @Override
    public List<String> members() throws RelevoException {
        return lines(members(handle));
    }

    @Override
    public List<String> reloadKeys() throws RelevoException {
        return lines(reloadKeys(handle));
    }

    @Override
    public List<String> status() throws RelevoException {
        return lines(status(handle));
    }

    @Override
    public String address() throws RelevoException {
        return address(handle);
    }

    @Override
    public boolean leave(long timeoutMillis) throws RelevoException {
        return leave(handle, timeoutMillis);
    }

    @Override
    public void close() {
        close(handle);
    }

    private static Contents contents(byte[] packed) {
        return packed == null ? null : Packing.contents(packed);
    }

    private static List<String> lines(String text) {
        return Arrays.stream(text.split("\n")).filter(line -> !line.isEmpty()).collect(Collectors.toList());
    }

    // Registered by the library when it is loaded (ffi/jni/src/methods.rs). Those that may not end at once return the outcome or a tag
    // (ffi/jni/src/operations.rs).

    static native String version();

    private static native long open(String options) throws RelevoException;

    private static native long commit(long handle, byte[] key, byte[] changes, int maxInactive, int ack)
            throws RelevoException;

    private static native long commitFrom(long handle, byte[] key, long base, byte[] changes, int maxInactive, int ack)
            throws RelevoException;

    private static native long sessionVersion(long handle, byte[] key) throws RelevoException;

    private static native int maxValue(long handle) throws RelevoException;

    private static native byte[] get(long handle, byte[] key) throws RelevoException;

    private static native byte[] fetch(long handle, byte[] key, String hint) throws RelevoException;

    private static native long invalidate(long handle, byte[] key) throws RelevoException;

    private static native long invalidateFrom(long handle, byte[] key, long base) throws RelevoException;

    private static native long rename(long handle, byte[] key, byte[] id) throws RelevoException;

    private static native byte[] completions(long handle) throws RelevoException;

    private static native void touch(long handle, byte[] key) throws RelevoException;

    private static native byte[] sessions(long handle, byte[] namespace) throws RelevoException;

    private static native byte[] nextEvents(long handle) throws RelevoException;

    private static native String members(long handle) throws RelevoException;

    private static native String reloadKeys(long handle) throws RelevoException;

    private static native String status(long handle) throws RelevoException;

    private static native String address(long handle) throws RelevoException;

    private static native boolean leave(long handle, long timeoutMillis) throws RelevoException;

    private static native void close(long handle);
}
