package org.relevo;

import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * A node of a cluster. Every call is thread-safe and bounded in time: {@link #fetch} and
 * invalidations by the option {@code fetchTimeout}, commits and renames by {@code ackTimeout}, the
 * others by nothing but memory access.
 *
 * <p>What may wait has two forms. One waits for the outcome; an interrupt doesn't end that. The other one, called
 * {@code …Async}, has done everything but the waiting when it returns: its future fails with a {@link RelevoException} where
 * the first form throws it. Waiting happens in Java, so a virtual thread that waits doesn't keep its carrier. A
 * future is completed by a thread of the node. An action that depends on one (such as {@code thenApply}) may run in that thread and
 * must not take long: until it returns, no other operation of this node ends. One that waits for a node belongs into
 * {@code thenApplyAsync} and the like. {@link #close} fails all that hasn't ended.
 */
public interface Node extends AutoCloseable {

    /**
     * Applies the changes together, sends them, and waits as {@code ack} says. Creates the session if there is none;
     * without changes it writes the header alone.
     *
     * @param key the session
     * @param changes what changed
     * @param maxInactive seconds after which an idle session ends; below 1: never
     * @param ack what to wait for
     * @return how far it got
     * @throws RelevoException if nothing was written
     */
    default Confirmed commit(SessionKey key, Changes changes, int maxInactive, Ack ack) throws RelevoException {
        return Completions.join(commitAsync(key, changes, maxInactive, ack));
    }

    /**
     * Like {@link #commit}, without waiting.
     *
     * @param key the session
     * @param changes what changed
     * @param maxInactive seconds after which an idle session ends; below 1: never
     * @param ack when the future completes
     * @return how far it got
     */
    CompletableFuture<Confirmed> commitAsync(SessionKey key, Changes changes, int maxInactive, Ack ack);

    /**
     * Like {@link #commit}, but changes nothing unless the session is as the caller has seen it.
     *
     * @param key the session
     * @param base the version that the caller has seen; 0: none, the session is new
     * @param changes what changed
     * @param maxInactive seconds after which an idle session ends; below 1: never
     * @param ack what to wait for
     * @return what became of it
     * @throws RelevoException if nothing was written, for another reason than an {@link Committed.Outcome}
     */
    default Committed commitFrom(SessionKey key, long base, Changes changes, int maxInactive, Ack ack)
            throws RelevoException {
        return Completions.join(commitFromAsync(key, base, changes, maxInactive, ack));
    }

    /**
     * Like {@link #commitFrom}, without waiting.
     *
     * @param key the session
     * @param base the version that the caller has seen; 0: none, the session is new
     * @param changes what changed
     * @param maxInactive seconds after which an idle session ends; below 1: never
     * @param ack when the future completes
     * @return what became of it
     */
    CompletableFuture<Committed> commitFromAsync(SessionKey key, long base, Changes changes, int maxInactive,
            Ack ack);

    /**
     * @param key a session
     * @return the version of its contents, of which this node is the primary and which it may serve without asking;
     *     0: it may not
     * @throws RelevoException if the node is closed
     */
    long version(SessionKey key) throws RelevoException;

    /** @return the largest value of an attribute in bytes */
    int maxValue() throws RelevoException;

    /**
     * @param key a session
     * @return what this node holds of it, without asking anyone; null if nothing
     * @throws RelevoException if the node is closed
     */
    Contents get(SessionKey key) throws RelevoException;

    /**
     * Makes this node the session's primary.
     *
     * @param key a session
     * @param hint the route suffix of its id, which names the former primary; may be null
     * @return the newest contents that the live holders know; null if there is no such session
     * @throws RelevoException if the session can't be had
     */
    default Contents fetch(SessionKey key, String hint) throws RelevoException {
        return Completions.join(fetchAsync(key, hint));
    }

    /**
     * Like {@link #fetch}, without waiting.
     *
     * @param key a session
     * @param hint the route suffix of its id, which names the former primary; may be null
     * @return the newest contents that the live holders know; null if there is no such session
     */
    CompletableFuture<Contents> fetchAsync(SessionKey key, String hint);

    /**
     * Ends the session everywhere.
     *
     * @param key a session
     * @return how many nodes know of it
     * @throws RelevoException if nothing was written
     */
    default Confirmed invalidate(SessionKey key) throws RelevoException {
        return Completions.join(invalidateAsync(key));
    }

    /**
     * Like {@link #invalidate}, without waiting.
     *
     * @param key a session
     * @return how many nodes know of it
     */
    CompletableFuture<Confirmed> invalidateAsync(SessionKey key);

    /**
     * Ends the session everywhere, but only if it is as the caller has seen it.
     *
     * @param key a session
     * @param base the version that the caller has seen
     * @return how many nodes know of it; null if nothing was changed
     * @throws RelevoException if nothing was written
     */
    default Confirmed invalidateFrom(SessionKey key, long base) throws RelevoException {
        return Completions.join(invalidateFromAsync(key, base));
    }

    /**
     * Like {@link #invalidateFrom}, without waiting.
     *
     * @param key a session
     * @param base the version that the caller has seen
     * @return how many nodes know of it; null if nothing was changed
     */
    CompletableFuture<Confirmed> invalidateFromAsync(SessionKey key, long base);

    /**
     * Gives the session a new id as one unit; the old id is dead.
     *
     * @param key a session
     * @param id its new id, without a route
     * @return how far it got
     * @throws RelevoException if nothing was written
     */
    default Confirmed rename(SessionKey key, String id) throws RelevoException {
        return Completions.join(renameAsync(key, id));
    }

    /**
     * Like {@link #rename}, without waiting.
     *
     * @param key a session
     * @param id its new id, without a route
     * @return how far it got
     */
    CompletableFuture<Confirmed> renameAsync(SessionKey key, String id);

    /**
     * Notes a use of the session without a change.
     *
     * @param key a session
     * @throws RelevoException if the node is closed
     */
    void touch(SessionKey key) throws RelevoException;

    /**
     * The sessions of an application that this node has: those that it serves, and the copies that it keeps for others. It asks no
     * other node and becomes the primary of none. Sessions that begin, end or get another id meanwhile may be missing.
     *
     * @param namespace the application, as in its keys
     * @return its sessions, in no particular order
     * @throws RelevoException if the node is closed
     */
    List<ListedSession> sessions(String namespace) throws RelevoException;

    /**
     * @return what happened since the last call, in order; never waits
     * @throws RelevoException if the node is closed
     */
    List<Event> events() throws RelevoException;

    /**
     * @return the members, this node included, one line each
     * @throws RelevoException if the node is closed
     */
    List<String> members() throws RelevoException;

    /**
     * Reads the key file again: the node seals with its first key from now on, and opens with all.
     *
     * @return what names the keys, in their order
     * @throws RelevoException if the file can't be used, or the node is closed; it keeps its keys
     */
    List<String> reloadKeys() throws RelevoException;

    /**
     * @return this node's counters, one line each
     * @throws RelevoException if the node is closed
     */
    List<String> status() throws RelevoException;

    /**
     * @return the bound address, {@code host:port}
     * @throws RelevoException if the node is closed
     */
    String address() throws RelevoException;

    /**
     * Hands over what no other node holds, says good-bye, and closes the node. A slow network needs seconds for each ten
     * megabytes, so allow a minute.
     *
     * @param timeoutMillis the bound, and the only one
     * @return whether the others knew in time, and have all
     * @throws RelevoException if the node is closed
     */
    boolean leave(long timeoutMillis) throws RelevoException;

    /**
     * Closes the node; the others notice as if it had crashed, unless it left before. What waits for an outcome fails. Closing
     * twice is harmless.
     */
    @Override
    void close();
}
