package org.relevo.tomcat;

import java.io.Serializable;
import java.security.Principal;
import java.util.ArrayList;
import java.util.Collections;
import java.util.ConcurrentModificationException;
import java.util.Enumeration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

import jakarta.servlet.http.HttpSessionBindingListener;

import org.apache.catalina.SessionListener;
import org.apache.catalina.session.StandardSession;
import org.relevo.Contents;
import org.relevo.SessionKey;

/**
 * A session on the node that serves it (stands for Tomcat's {@code DeltaSession}).
 *
 * <p>Notes which attributes were set or removed, for {@link RelevoManager} to commit after the request. A session that
 * came from another node holds its attributes as bytes until somebody asks for them. Changes inside a value that is not
 * set again are not noticed, as in Tomcat.
 */
public class RelevoSession extends StandardSession {

    private static final long serialVersionUID = 1L;

    private final transient RelevoManager relevo;
    private final transient Pending pending = new Pending();

    private final transient Lives.Life life = new Lives.Life();

    private final transient Shipped shipped = new Shipped();

    /** Set under the lock, to be told without it. */
    private final transient AtomicBoolean endsElsewhere = new AtomicBoolean();

    private final transient AtomicBoolean ended = new AtomicBoolean();

    /** Requests that use the session just now. */
    private final transient AtomicInteger requests = new AtomicInteger();

    private final transient UsePolicy uses;

    private transient volatile SessionKey key;

    /** Whether this object has contents; one that was made to be filled has none yet. */
    private transient volatile boolean arrived;

    /** As {@code thisAccessedTime} and {@code lastAccessedTime}, by a clock that nobody sets. */
    private transient volatile long thisAccessedNanos = System.nanoTime();
    private transient volatile long lastAccessedNanos = thisAccessedNanos;

    /** @param manager to which the session belongs */
    public RelevoSession(RelevoManager manager) {
        super(manager);
        relevo = manager;
        uses = manager.uses();
        arrived = true;
    }

    /** An empty object, to be filled with the session of this id. */
    RelevoSession(RelevoManager manager, String id) {
        super(manager);
        relevo = manager;
        uses = manager.uses();
        this.id = id;
        key = manager.keyOf(id);
    }

    // ------------------------------------------------------------- What changed

    @Override
    public void setAttribute(String name, Object value, boolean notify) {
        if (name == null || value == null) {
            super.setAttribute(name, value, notify);
            return;
        }
        String full = SessionState.ATTRIBUTE + name;
        boolean changes = false;
        pending.begin(full);
        try {
            boolean wasShared = isKnown(name);
            resolveForListeners(name, notify);
            super.setAttribute(name, value, notify);
            changes = wasShared || isShared(name, value);
            shipped.setAgain(full);
        } finally {
            end(full, changes);
        }
    }

    @Override
    protected void removeAttributeInternal(String name, boolean notify) {
        if (name == null) {
            return;
        }
        String full = SessionState.ATTRIBUTE + name;
        boolean changes = false;
        pending.begin(full);
        try {
            changes = isKnown(name);
            resolveForListeners(name, notify);
            super.removeAttributeInternal(name, notify);
        } finally {
            end(full, changes);
        }
    }

    /** Whether other nodes may have a value of this attribute. */
    private boolean isKnown(String name) {
        return shipped.has(SessionState.ATTRIBUTE + name) || isShared(name, attributes.get(name));
    }

    private void end(String full, boolean changed) {
        pending.end(full, changed);
        if (changed) {
            relevo.changed(this);
        }
    }

    /** Makes a change of a part that is no attribute, and notes it. */
    private void change(String full, Runnable change) {
        pending.begin(full);
        boolean changed = false;
        try {
            change.run();
            changed = true;
        } finally {
            end(full, changed);
        }
    }

    @Override
    public void setCreationTime(long time) {
        change(SessionState.CREATED, () -> super.setCreationTime(time));
        usedBefore(System.currentTimeMillis() - time);
    }

    @Override
    public void setMaxInactiveInterval(int interval) {
        if (interval != maxInactiveInterval) {
            super.setMaxInactiveInterval(interval);
            pending.addHeader();
            relevo.changed(this);
        }
    }

    @Override
    public void setPrincipal(Principal principal) {
        if (principal != this.principal) {
            change(SessionState.PRINCIPAL, () -> super.setPrincipal(principal));
        }
    }

    @Override
    public void setAuthType(String authType) {
        if (!Objects.equals(authType, this.authType)) {
            change(SessionState.AUTH_TYPE, () -> super.setAuthType(authType));
        }
    }

    @Override
    public void setNote(String name, Object value) {
        if (value == null) {
            removeNote(name);
            return;
        }
        if (SessionState.travels(name, value) && !value.equals(notes.get(name))) {
            change(SessionState.NOTE + name, () -> super.setNote(name, value));
        } else {
            super.setNote(name, value);
        }
    }

    @Override
    public void removeNote(String name) {
        Object old = notes.get(name);
        if (old != null && SessionState.travels(name, old)) {
            change(SessionState.NOTE + name, () -> super.removeNote(name));
        } else {
            super.removeNote(name);
        }
    }

    @Override
    public void addSessionListener(SessionListener listener) {
        changeListeners(listener, () -> super.addSessionListener(listener));
    }

    @Override
    public void removeSessionListener(SessionListener listener) {
        changeListeners(listener, () -> super.removeSessionListener(listener));
    }

    private void changeListeners(SessionListener listener, Runnable change) {
        if (ReplicatedListeners.isReplicated(listener)) {
            change(SessionState.LISTENERS, change);
        } else {
            change.run();
        }
    }

    /** Whether other nodes get this attribute: not what the manager's filters exclude. */
    private boolean isShared(String name, Object value) {
        if (value instanceof StoredAttribute) {
            return true;
        }
        return value != null && isAttributeDistributable(name, value) && !exclude(name, value);
    }

    // ------------------------------------------------------------- Values that are still bytes

    @Override
    public Object getAttribute(String name) {
        Object value = super.getAttribute(name);
        return value instanceof StoredAttribute ? resolve(name, (StoredAttribute) value) : value;
    }

    /** Names only what can be had: an application may use the value of each without looking. */
    @Override
    public Enumeration<String> getAttributeNames() {
        Set<String> names = new LinkedHashSet<>();
        for (String name : Collections.list(super.getAttributeNames())) {
            if (getAttribute(name) != null) {
                names.add(name);
            }
        }
        return Collections.enumeration(names);
    }

    /** The value of which these are the bytes; the same object for everybody. */
    private Object resolve(String name, StoredAttribute stored) {
        Object value = stored.hasFailed() ? null : relevo.values().read(this, SessionState.ATTRIBUTE + name, stored.bytes());
        if (value == null) {
            // The bytes stay, and travel on: another node may read them.
            stored.setFailed();
            return null;
        }
        if (exclude(name, value)) {
            attributes.remove(name, stored);
            return null;
        }
        if (attributes.replace(name, stored, value)) {
            ValueListeners.activated(relevo.getContext(), getSession(), value);
            return value;
        }
        Object other = attributes.get(name);
        return other instanceof StoredAttribute ? resolve(name, (StoredAttribute) other) : other;
    }

    /** Listeners are told the old value, not its bytes. */
    private void resolveForListeners(String name, boolean notify) {
        Object old = notify && name != null ? attributes.get(name) : null;
        if (old instanceof StoredAttribute && resolve(name, (StoredAttribute) old) == null) {
            attributes.remove(name, old);
        }
    }

    // ------------------------------------------------------------- Coming and going

    /** Takes over what other nodes changed; what was changed here and not yet committed stays. */
    void accept(Contents contents) {
        if (!pending.hasHeader()) {
            maxInactiveInterval = contents.maxInactive() == 0 ? -1 : contents.maxInactive();
        }
        if (!arrived) {
            creationTime = System.currentTimeMillis() - contents.idleMillis();
        }
        usedElsewhere(contents.idleMillis());
        Map<String, byte[]> attributes = contents.attributes();
        for (String full : shipped.names()) {
            accept(full, attributes.get(SessionState.wire(full)));
        }
        attributes.forEach((full, bytes) -> {
            if (!shipped.has(full)) {
                accept(full, bytes);
            }
        });
        if (!arrived) {
            arrived = true;
            setValid(true);
            relevo.arrived();
            fireSessionEvent(SESSION_ACTIVATED_EVENT, null);
        }
    }

    private void accept(String full, byte[] bytes) {
        Long print = bytes == null ? null : Long.valueOf(Fingerprint.of(bytes));
        if (shipped.isSame(full, print)) {
            return;
        }
        if (SessionState.isAttribute(full)) {
            pending.unlessBusy(full, () -> {
                replace(SessionState.name(full), bytes);
                shipped.took(full, print);
            });
            return;
        }
        Object value = bytes == null ? null : relevo.values().read(this, full, bytes);
        pending.unlessBusy(full, () -> {
            setState(full, value);
            shipped.took(full, print);
        });
    }

    /** A value that the manager's filters exclude stays on this node. */
    private void replace(String name, byte[] bytes) {
        Object before = attributes.get(name);
        if (before != null && !isShared(name, before)) {
            return;
        }
        if (bytes == null || LeftOut.isMarker(bytes)) {
            attributes.remove(name);
        } else {
            attributes.put(name, new StoredAttribute(bytes));
        }
    }

    /** Under the lock: the session ended, with its listeners, on another node. */
    void endElsewhere() {
        ended.set(true);
        setValid(false);
        endsElsewhere.set(true);
    }

    /**
     * Tells the values of a session that ended elsewhere that they are unbound, which closes the WebSocket of a user who
     * logged out. Values that are still bytes were never bound here.
     */
    void tellEndElsewhere() {
        if (!endsElsewhere.compareAndSet(true, false)) {
            return;
        }
        ValueListeners.unbound(relevo.getContext(), getSession(), attributes);
    }

    @Override
    public void expire(boolean notify) {
        super.expire(notify);
        if (!isValid && ended.compareAndSet(false, true)) {
            relevo.ended(this);
        }
    }

    /** Only the node that serves a session may judge that it was idle too long, and by what the cluster has of it. */
    @Override
    public boolean isValid() {
        if (!isValid || expiring || uses.checksActivity && accessCount.get() > 0 || !isIdleTooLong()) {
            return isValid;
        }
        if (relevo.claimExpired(this)) {
            expire(true);
            return false;
        }
        // Somebody uses it just now, or another node serves it.
        return isValid && relevo.isHere(this);
    }

    boolean isIdleTooLong() {
        return maxInactiveInterval > 0 && getIdleTimeInternal() / 1000 >= maxInactiveInterval;
    }

    // ------------------------------------------------------------- Idle time

    /** As in Tomcat, but by a clock that nobody sets: a computer may learn the time after it has started. */
    @Override
    public long getIdleTimeInternal() {
        long since = uses.countsFromStart ? lastAccessedNanos : thisAccessedNanos;
        return (System.nanoTime() - since) / 1_000_000;
    }

    private void usedBefore(long millis) {
        thisAccessedNanos = System.nanoTime() - millis * 1_000_000;
        lastAccessedNanos = thisAccessedNanos;
    }

    /** Another node knows of a use so long ago; this one may know of a later one. */
    private void usedElsewhere(long millis) {
        if (!arrived || millis < getIdleTimeInternal()) {
            usedBefore(millis);
            lastAccessedTime = System.currentTimeMillis() - millis;
            thisAccessedTime = lastAccessedTime;
        }
    }

    @Override
    public void setId(String id, boolean notify) {
        String oldId = this.id;
        key = relevo.keyOf(id);
        relevo.known(oldId, id, this);
        super.setId(id, notify);
    }

    // ------------------------------------------------------------- Requests

    @Override
    public void access() {
        super.access();
        thisAccessedNanos = System.nanoTime();
        requests.incrementAndGet();
        RequestSessions.note(this);
    }

    @Override
    public void endAccess() {
        super.endAccess();
        long now = System.nanoTime();
        lastAccessedNanos = uses.countsFromStart ? thisAccessedNanos : now;
        thisAccessedNanos = now;
        requests.decrementAndGet();
        relevo.requestEnded(this);
    }

    // ------------------------------------------------------------- For the manager

    SessionKey key() {
        return key;
    }

    Lives.Life life() {
        return life;
    }

    boolean hasArrived() {
        return arrived;
    }

    boolean hasChanges() {
        return isValid && !pending.isEmpty();
    }

    /** Whether a request is under way, which commits what it changes when it ends, all at once. */
    boolean isInUse() {
        return requests.get() > 0;
    }

    /** Whether this is a session still, whatever its idle time. */
    boolean isAlive() {
        return isValid;
    }

    /** Everything that changed since the last call, or null. */
    Set<String> takeChanges() {
        return pending.take();
    }

    void restoreChanges(Set<String> names) {
        pending.restore(names);
    }

    /** Marks all of the session as changed: for a cluster that knows nothing of it. */
    void changeAll() {
        names().forEach(pending::add);
    }

    /** The present bytes of these names. */
    Written write(Set<String> names) {
        Written written = new Written();
        for (String full : names) {
            try {
                written.add(full, bytes(full));
            } catch (ConcurrentModificationException e) {
                // Another request changes the value just now, and its own commit is to come.
                pending.add(full);
            }
        }
        return written;
    }

    Shipped shipped() {
        return shipped;
    }

    /** Whether the session would lack something here if this object were forgotten. */
    boolean hasWhatOthersLack() {
        return shipped.isLackedByOthers() || attributes.entrySet().stream().anyMatch(each -> isOnlyHere(each.getKey(), each.getValue()));
    }

    private boolean isOnlyHere(String name, Object value) {
        return value instanceof HttpSessionBindingListener || !isShared(name, value);
    }

    /** Serializes without a lock on the value: others may use the session meanwhile, and even the value. */
    private byte[] bytes(String full) {
        shipped.writing(full);
        Object value = SessionState.isAttribute(full) ? attributes.get(SessionState.name(full)) : state(full);
        if (value instanceof StoredAttribute) {
            return ((StoredAttribute) value).bytes();
        }
        if (value == null || SessionState.isAttribute(full) && !isShared(SessionState.name(full), value)) {
            return null;
        }
        return shipped.isTooMuch(full) ? relevo.values().leaveOutForSize(this, full)
                : relevo.values().write(this, full, value);
    }

    /** The names in the cluster of all that this object has. */
    private Set<String> names() {
        Set<String> names = new LinkedHashSet<>();
        for (String name : keys()) {
            if (isShared(name, attributes.get(name))) {
                names.add(SessionState.ATTRIBUTE + name);
            }
        }
        Collections.addAll(names, SessionState.CREATED, SessionState.PRINCIPAL, SessionState.AUTH_TYPE,
                SessionState.LISTENERS);
        notes.forEach((name, value) -> {
            if (SessionState.travels(name, value)) {
                names.add(SessionState.NOTE + name);
            }
        });
        return names;
    }

    /** The state other than attributes that the cluster keeps under this name; null if there is none. */
    private Object state(String full) {
        switch (full) {
            case SessionState.CREATED:
                return creationTime;
            case SessionState.PRINCIPAL:
                return principal;
            case SessionState.AUTH_TYPE:
                return authType;
            case SessionState.LISTENERS:
                return replicatedListeners();
            default:
                return SessionState.isNote(full) ? notes.get(SessionState.name(full)) : null;
        }
    }

    /** Sets such a state. A value of a wrong class, which a faulty node may have sent, is ignored. */
    private void setState(String full, Object value) {
        switch (full) {
            case SessionState.CREATED:
                creationTime = value instanceof Long ? (Long) value : creationTime;
                break;
            case SessionState.PRINCIPAL:
                principal = value instanceof Principal ? (Principal) value : null;
                break;
            case SessionState.AUTH_TYPE:
                authType = value instanceof String ? (String) value : null;
                break;
            case SessionState.LISTENERS:
                setReplicatedListeners(value instanceof List ? (List<?>) value : List.of());
                break;
            default:
                if (SessionState.isNote(full)) {
                    setNoteQuietly(SessionState.name(full), value);
                }
                break;
        }
    }

    private void setNoteQuietly(String note, Object value) {
        if (value == null) {
            notes.remove(note);
        } else {
            notes.put(note, value);
        }
    }

    private ArrayList<SessionListener> replicatedListeners() {
        ArrayList<SessionListener> replicated = new ArrayList<>();
        synchronized (listeners) {
            listeners.stream().filter(ReplicatedListeners::isReplicated).forEach(replicated::add);
        }
        return replicated.isEmpty() ? null : replicated;
    }

    private void setReplicatedListeners(List<?> replicated) {
        synchronized (listeners) {
            listeners.removeIf(ReplicatedListeners::isReplicated);
            replicated.stream().filter(ReplicatedListeners::isReplicated)
                    .forEach(listener -> listeners.add((SessionListener) listener));
        }
    }

    @Override
    public String toString() {
        return "RelevoSession[" + (id == null ? "" : SessionKey.abbreviate(id)) + "]";
    }

}
