package org.relevo;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/** A node in the native library: one crossing per operation. Using it after {@link #close} gives an exception. */
public final class NativeNode implements Node {

    /** Names the node on the native side; never given twice, so a stale one finds nothing. */
    private final long handle;

    private NativeNode(long handle) {
        this.handle = handle;
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
        return new NativeNode(open(String.join("\n", options.lines())));
    }

    @Override
    public Confirmed commit(SessionKey key, Changes changes, int maxInactive, Ack ack) throws RelevoException {
        return Confirmed.of(commit(handle, key.packed(), changes.packed(), maxInactive, ack.code()));
    }

    @Override
    public Committed commitFrom(SessionKey key, long base, Changes changes, int maxInactive, Ack ack)
            throws RelevoException {
        return Committed.of(commitFrom(handle, key.packed(), base, changes.packed(), maxInactive, ack.code()));
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
    public Contents fetch(SessionKey key, String hint) throws RelevoException {
        return contents(fetch(handle, key.packed(), hint));
    }

    @Override
    public Confirmed invalidate(SessionKey key) throws RelevoException {
        return Confirmed.of(invalidate(handle, key.packed()));
    }

    @Override
    public Confirmed invalidateFrom(SessionKey key, long base) throws RelevoException {
        long code = invalidateFrom(handle, key.packed(), base);
        return code < 0 ? null : Confirmed.of((int) code);
    }

    @Override
    public Confirmed rename(SessionKey key, String id) throws RelevoException {
        return Confirmed.of(rename(handle, key.packed(), id.getBytes(StandardCharsets.UTF_8)));
    }

    @Override
    public void touch(SessionKey key) throws RelevoException {
        touch(handle, key.packed());
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

    // Registered by the library when it is loaded (ffi/jni/src/methods.rs).

    static native String version();

    private static native long open(String options) throws RelevoException;

    private static native int commit(long handle, byte[] key, byte[] changes, int maxInactive, int ack)
            throws RelevoException;

    private static native long commitFrom(long handle, byte[] key, long base, byte[] changes, int maxInactive, int ack)
            throws RelevoException;

    private static native long sessionVersion(long handle, byte[] key) throws RelevoException;

    private static native int maxValue(long handle) throws RelevoException;

    private static native byte[] get(long handle, byte[] key) throws RelevoException;

    private static native byte[] fetch(long handle, byte[] key, String hint) throws RelevoException;

    private static native int invalidate(long handle, byte[] key) throws RelevoException;

    private static native long invalidateFrom(long handle, byte[] key, long base) throws RelevoException;

    private static native int rename(long handle, byte[] key, byte[] id) throws RelevoException;

    private static native void touch(long handle, byte[] key) throws RelevoException;

    private static native byte[] nextEvents(long handle) throws RelevoException;

    private static native String members(long handle) throws RelevoException;

    private static native String reloadKeys(long handle) throws RelevoException;

    private static native String status(long handle) throws RelevoException;

    private static native String address(long handle) throws RelevoException;

    private static native boolean leave(long handle, long timeoutMillis) throws RelevoException;

    private static native void close(long handle);
}
