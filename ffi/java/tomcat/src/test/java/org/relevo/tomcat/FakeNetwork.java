package org.relevo.tomcat;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.Set;
import java.util.TreeMap;

import org.relevo.Ack;
import org.relevo.Changes;
import org.relevo.Committed;
import org.relevo.Confirmed;
import org.relevo.Contents;
import org.relevo.Event;
import org.relevo.ListedSession;
import org.relevo.Node;
import org.relevo.RelevoException;
import org.relevo.SessionKey;

/** Nodes in one map: what a cluster does when nothing fails. */
final class FakeNetwork {

    /** A session as the cluster has it. */
    static final class Record {
        final Map<String, byte[]> attributes = new TreeMap<>();
        FakeNode owner;
        long version = 1;
        int maxInactive;
        long usedAt = System.currentTimeMillis();
    }

    final Map<SessionKey, Record> records = new HashMap<>();
    final Set<SessionKey> dead = new HashSet<>();
    /** Calls in their order, for tests to look at. */
    final List<String> calls = new ArrayList<>();

    /** The largest value in bytes. */
    int maxValue = 1 << 20;

    /** The most attributes' bytes that a session may have. */
    int maxSession = 4 << 20;

    /** Runs in the midst of the next commit or fetch: what another node does just then. */
    volatile Runnable meanwhile;

    /** A session that can't be fetched, for a reason that nobody thought of. */
    volatile SessionKey broken;

    /** Names of what a commit changed last. */
    final List<String> lastChanges = new ArrayList<>();

    synchronized List<String> takeCalls() {
        List<String> taken = new ArrayList<>(calls);
        calls.clear();
        return taken;
    }

    synchronized Record record(SessionKey key) {
        return records.get(key);
    }

    private final List<FakeNode> nodes = new ArrayList<>();

    synchronized Node open(String name) {
        FakeNode node = new FakeNode(name);
        nodes.add(node);
        return node;
    }

    final class FakeNode implements Node {

        private final String name;
        private final Queue<Event> events = new ArrayDeque<>();
        private boolean closed;

        FakeNode(String name) {
            this.name = name;
        }

        @Override
        public Confirmed commit(SessionKey key, Changes changes, int maxInactive, Ack ack) throws RelevoException {
            synchronized (FakeNetwork.this) {
                check();
                if (dead.contains(key)) {
                    throw new RelevoException("the session was invalidated: start a new one");
                }
                Record record = records.computeIfAbsent(key, k -> new Record());
                move(key, record);
                lastChanges.clear();
                ChangesReader.read(changes).forEach((attribute, value) -> {
                    lastChanges.add(attribute);
                    if (value == null) {
                        record.attributes.remove(attribute);
                    } else {
                        record.attributes.put(attribute, value);
                    }
                });
                record.version++;
                record.maxInactive = Math.max(maxInactive, 0);
                record.usedAt = System.currentTimeMillis();
                calls.add(name + " commit " + key.id() + " " + lastChanges);
                return new Confirmed(2, true);
            }
        }

        private void move(SessionKey key, Record record) {
            if (record.owner != null && record.owner != this) {
                record.owner.events.add(Event.of(Event.Kind.MOVED, key));
            }
            if (record.owner != this) {
                record.version++;
            }
            record.owner = this;
        }

        @Override
        public Committed commitFrom(SessionKey key, long base, Changes changes, int maxInactive, Ack ack)
                throws RelevoException {
            meanwhile();
            synchronized (FakeNetwork.this) {
                check();
                Record record = records.get(key);
                if (dead.contains(key) && base == 0) {
                    return Committed.refused(Committed.Outcome.ENDED);
                }
                if ((record == null ? 0 : version(key)) != base) {
                    return Committed.refused(Committed.Outcome.CHANGED);
                }
                Map<String, byte[]> after = new HashMap<>(record == null ? Map.of() : record.attributes);
                after.putAll(ChangesReader.read(changes));
                if (after.values().stream().mapToInt(value -> value == null ? 0 : value.length).sum() > maxSession) {
                    return Committed.refused(Committed.Outcome.TOO_LARGE);
                }
                Confirmed confirmed = commit(key, changes, maxInactive, ack);
                return Committed.done(version(key), confirmed);
            }
        }

        private void meanwhile() {
            Runnable once = meanwhile;
            meanwhile = null;
            if (once != null) {
                once.run();
            }
        }

        @Override
        public int maxValue() {
            return maxValue;
        }

        @Override
        public Confirmed invalidateFrom(SessionKey key, long base) throws RelevoException {
            synchronized (FakeNetwork.this) {
                return version(key) == base && base != 0 ? invalidate(key) : null;
            }
        }

        @Override
        public long version(SessionKey key) throws RelevoException {
            synchronized (FakeNetwork.this) {
                check();
                Record record = records.get(key);
                return record != null && record.owner == this ? record.version : 0;
            }
        }

        @Override
        public Contents get(SessionKey key) {
            synchronized (FakeNetwork.this) {
                Record record = records.get(key);
                return record == null ? null : new Contents(new LinkedHashMap<>(record.attributes), record.maxInactive,
                        System.currentTimeMillis() - record.usedAt, record.version, false);
            }
        }

        @Override
        public Contents fetch(SessionKey key, String hint) throws RelevoException {
            synchronized (FakeNetwork.this) {
                check();
                calls.add(name + " fetch " + key.id() + " " + hint);
                if (key.equals(broken)) {
                    throw new IllegalStateException("broken");
                }
                Record record = records.get(key);
                if (record != null) {
                    move(key, record);
                }
                return get(key);
            }
        }

        @Override
        public Confirmed invalidate(SessionKey key) throws RelevoException {
            synchronized (FakeNetwork.this) {
                check();
                calls.add(name + " invalidate " + key.id());
                Record record = records.remove(key);
                dead.add(key);
                if (record != null) {
                    nodes.stream().filter(node -> node != this)
                            .forEach(node -> node.events.add(Event.of(Event.Kind.INVALIDATED, key)));
                }
                return new Confirmed(2, true);
            }
        }

        @Override
        public Confirmed rename(SessionKey key, String id) throws RelevoException {
            synchronized (FakeNetwork.this) {
                check();
                calls.add(name + " rename " + key.id() + " " + id);
                Record record = records.remove(key);
                move(key, record);
                records.put(new SessionKey(key.namespace(), id), record);
                dead.add(key);
                meanwhile();
                return new Confirmed(2, true);
            }
        }

        @Override
        public void touch(SessionKey key) {
            synchronized (FakeNetwork.this) {
                calls.add(name + " touch " + key.id());
                records.get(key).usedAt = System.currentTimeMillis();
            }
        }

        @Override
        public List<ListedSession> sessions(String namespace) {
            synchronized (FakeNetwork.this) {
                List<ListedSession> listed = new ArrayList<>();
                records.forEach((key, record) -> {
                    if (key.namespace().equals(namespace)) {
                        listed.add(new ListedSession(key, record.owner == this, record.maxInactive, 0, record.version));
                    }
                });
                return listed;
            }
        }

        @Override
        public List<Event> events() {
            synchronized (FakeNetwork.this) {
                List<Event> taken = new ArrayList<>(events);
                events.clear();
                return taken;
            }
        }

        void tell(Event event) {
            synchronized (FakeNetwork.this) {
                events.add(event);
            }
        }

        @Override
        public List<String> members() {
            return List.of(name);
        }

        @Override
        public List<String> reloadKeys() {
            return List.of("0badcafe", "deadbeef");
        }

        @Override
        public List<String> status() {
            return List.of("members 1");
        }

        @Override
        public String address() {
            return "127.0.0.1:4000";
        }

        @Override
        public boolean leave(long timeoutMillis) {
            calls.add(name + " leave");
            closed = true;
            return true;
        }

        @Override
        public void close() {
            closed = true;
        }

        @Override
        public CompletableFuture<Confirmed> commitAsync(SessionKey key, Changes changes, int maxInactive, Ack ack) {
            return done(() -> commit(key, changes, maxInactive, ack));
        }

        @Override
        public CompletableFuture<Committed> commitFromAsync(SessionKey key, long base, Changes changes, int maxInactive,
                Ack ack) {
            return done(() -> commitFrom(key, base, changes, maxInactive, ack));
        }

        @Override
        public CompletableFuture<Contents> fetchAsync(SessionKey key, String hint) {
            return done(() -> fetch(key, hint));
        }

        @Override
        public CompletableFuture<Confirmed> invalidateAsync(SessionKey key) {
            return done(() -> invalidate(key));
        }

        @Override
        public CompletableFuture<Confirmed> invalidateFromAsync(SessionKey key, long base) {
            return done(() -> invalidateFrom(key, base));
        }

        @Override
        public CompletableFuture<Confirmed> renameAsync(SessionKey key, String id) {
            return done(() -> rename(key, id));
        }

        private <T> CompletableFuture<T> done(Callable<T> call) {
            try {
                return CompletableFuture.completedFuture(call.call());
            } catch (Exception e) {
                return CompletableFuture.failedFuture(e);
            }
        }

        private void check() throws RelevoException {
            if (closed) {
                throw new RelevoException("the node is closed");
            }
        }
    }
}
