package org.relevo.tomcat;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.TreeMap;

import org.relevo.Ack;
import org.relevo.Changes;
import org.relevo.Confirmed;
import org.relevo.Contents;
import org.relevo.Event;
import org.relevo.Node;
import org.relevo.RelevoException;
import org.relevo.SessionKey;

/** Nodes in one map: what a cluster does when nothing fails. */
final class FakeNetwork {

    /** A session as the cluster has it. */
    static final class Record {
        final Map<String, byte[]> attributes = new TreeMap<>();
        FakeNode owner;
        int maxInactive;
        long usedAt = System.currentTimeMillis();
    }

    final Map<SessionKey, Record> records = new HashMap<>();
    final Set<SessionKey> dead = new HashSet<>();
    /** Calls in their order, for tests to look at. */
    final List<String> calls = new ArrayList<>();

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

    Node open(String name) {
        return new FakeNode(name);
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
            record.owner = this;
        }

        @Override
        public boolean owns(SessionKey key) throws RelevoException {
            synchronized (FakeNetwork.this) {
                check();
                Record record = records.get(key);
                return record != null && record.owner == this;
            }
        }

        @Override
        public Contents get(SessionKey key) {
            synchronized (FakeNetwork.this) {
                Record record = records.get(key);
                return record == null ? null : new Contents(new LinkedHashMap<>(record.attributes), record.maxInactive,
                        System.currentTimeMillis() - record.usedAt, false);
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
                if (record != null && record.owner != this) {
                    record.owner.events.add(Event.of(Event.Kind.INVALIDATED, key));
                }
                return new Confirmed(2, true);
            }
        }

        @Override
        public Confirmed rename(SessionKey key, String id) throws RelevoException {
            synchronized (FakeNetwork.this) {
                check();
                calls.add(name + " rename " + key.id() + " " + id);
                records.put(new SessionKey(key.namespace(), id), records.remove(key));
                dead.add(key);
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

        private void check() throws RelevoException {
            if (closed) {
                throw new RelevoException("the node is closed");
            }
        }
    }
}
