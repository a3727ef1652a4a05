package org.relevo.tomcat;

import java.io.Serializable;
import java.security.Principal;
import java.util.ArrayList;
import java.util.Collections;
import java.util.ConcurrentModificationException;
import java.util.Enumeration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;

import jakarta.servlet.http.HttpSessionActivationListener;
import jakarta.servlet.http.HttpSessionEvent;

import org.apache.catalina.SessionListener;
import org.apache.catalina.ha.session.ReplicatedSessionListener;
import org.apache.catalina.session.StandardSession;
import org.relevo.Changes;
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

    /** Held while a commit or a rename is under way, so that they reach the cluster in the order they were made. */
    private final transient ReentrantLock commitLock = new ReentrantLock(true);

    private final transient AtomicBoolean ended = new AtomicBoolean();

    /** Requests that use the session just now. */
    private final transient AtomicInteger requests = new AtomicInteger();

    private transient volatile SessionKey key;

    /** Whether the cluster knows the session; before its first commit only this object does. */
    private transient volatile boolean stored;

    /** Whether another node was its home since this object was last brought up to date. */
    private transient volatile boolean outdated;

    /** @param manager to which the session belongs */
    public RelevoSession(RelevoManager manager) {
        super(manager);
        relevo = manager;
    }

    // ------------------------------------------------------------- What changed

    @Override
    public void setAttribute(String name, Object value, boolean notify) {
        boolean wasShared = name != null && isShared(name, attributes.get(name));
        resolveForListeners(name, notify);
        super.setAttribute(name, value, notify);
        // Afterwards: whoever takes the name finds the new value.
        if (value != null && (wasShared || isShared(name, value))) {
            pending.add(SessionState.ATTRIBUTE + name);
        }
    }

    @Override
    protected void removeAttributeInternal(String name, boolean notify) {
        if (name == null) {
            return;
        }
        boolean wasShared = isShared(name, attributes.get(name));
        resolveForListeners(name, notify);
        super.removeAttributeInternal(name, notify);
        if (wasShared) {
            pending.add(SessionState.ATTRIBUTE + name);
        }
    }

    @Override
    public void setCreationTime(long time) {
        super.setCreationTime(time);
        pending.add(SessionState.CREATED);
    }

    @Override
    public void setMaxInactiveInterval(int interval) {
        if (interval != maxInactiveInterval) {
            super.setMaxInactiveInterval(interval);
            pending.addHeader();
        }
    }

    @Override
    public void setPrincipal(Principal principal) {
        boolean changed = principal != this.principal;
        super.setPrincipal(principal);
        if (changed) {
            pending.add(SessionState.PRINCIPAL);
        }
    }

    @Override
    public void setAuthType(String authType) {
        boolean changed = !Objects.equals(authType, this.authType);
        super.setAuthType(authType);
        if (changed) {
            pending.add(SessionState.AUTH_TYPE);
        }
    }

    @Override
    public void setNote(String name, Object value) {
        if (value == null) {
            removeNote(name);
            return;
        }
        boolean changed = !value.equals(notes.get(name));
        super.setNote(name, value);
        if (changed && SessionState.travels(name, value)) {
            pending.add(SessionState.NOTE + name);
        }
    }

    @Override
    public void removeNote(String name) {
        Object old = notes.get(name);
        super.removeNote(name);
        if (old != null && SessionState.travels(name, old)) {
            pending.add(SessionState.NOTE + name);
        }
    }

    @Override
    public void addSessionListener(SessionListener listener) {
        super.addSessionListener(listener);
        noteListener(listener);
    }

    @Override
    public void removeSessionListener(SessionListener listener) {
        super.removeSessionListener(listener);
        noteListener(listener);
    }

    private void noteListener(SessionListener listener) {
        if (listener instanceof ReplicatedSessionListener) {
            pending.add(SessionState.LISTENERS);
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
        Object value = stored.hasFailed() ? null : relevo.read(this, SessionState.ATTRIBUTE + name, stored.bytes());
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
            activated(value);
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

    private void activated(Object value) {
        if (!(value instanceof HttpSessionActivationListener)) {
            return;
        }
        try {
            ((HttpSessionActivationListener) value).sessionDidActivate(new HttpSessionEvent(getSession()));
        } catch (RuntimeException e) {
            relevo.getContext().getLogger().error("sessionDidActivate of " + value.getClass().getName(), e);
        }
    }

    // ------------------------------------------------------------- Coming and going

    /** Fills this new object with a session that another node served, and makes it known to the manager. */
    void arrive(String id, Contents contents) {
        key = relevo.keyOf(id);
        creationTime = System.currentTimeMillis() - contents.idleMillis();
        setValid(true);
        accept(contents);
        setId(id, false);
        fireSessionEvent(SESSION_ACTIVATED_EVENT, null);
    }

    /** Takes over what other nodes changed; what was changed here and not yet committed stays. */
    void accept(Contents contents) {
        stored = true;
        outdated = false;
        maxInactiveInterval = contents.maxInactive() == 0 ? -1 : contents.maxInactive();
        lastAccessedTime = System.currentTimeMillis() - contents.idleMillis();
        thisAccessedTime = lastAccessedTime;
        Set<String> names = names();
        names.addAll(contents.attributes().keySet());
        for (String full : names) {
            byte[] bytes = contents.attributes().get(full);
            if (SessionState.isAttribute(full)) {
                replace(SessionState.name(full), full, bytes == null ? null : new StoredAttribute(bytes));
            } else if (!pending.contains(full)) {
                setState(full, bytes == null ? null : relevo.read(this, full, bytes));
            }
        }
    }

    /** Replaces a value unless a request sets the attribute just now; that one is newer. */
    private void replace(String name, String full, StoredAttribute arrived) {
        Object before = attributes.get(name);
        if (pending.contains(full) || before != null && !isShared(name, before)) {
            return;
        }
        if (before == null) {
            attributes.putIfAbsent(name, arrived);
        } else if (arrived == null) {
            attributes.remove(name, before);
        } else {
            attributes.replace(name, before, arrived);
        }
    }

    /** Ends this object without listeners: the session ended, with listeners, on another node. */
    void discard() {
        ended.set(true);
        setValid(false);
    }

    @Override
    public void expire(boolean notify) {
        super.expire(notify);
        if (!isValid && ended.compareAndSet(false, true)) {
            relevo.ended(this);
        }
    }

    /** Only the node that serves a session may judge that it was idle too long. */
    @Override
    public boolean isValid() {
        if (isValid && !expiring && isIdleTooLong() && !relevo.owns(this)) {
            return false;
        }
        return super.isValid();
    }

    private boolean isIdleTooLong() {
        return maxInactiveInterval > 0 && getIdleTimeInternal() / 1000 >= maxInactiveInterval;
    }

    @Override
    public void setId(String id, boolean notify) {
        key = relevo.keyOf(id);
        super.setId(id, notify);
    }

    // ------------------------------------------------------------- Requests

    @Override
    public void access() {
        super.access();
        requests.incrementAndGet();
        RequestSessions.note(this);
    }

    @Override
    public void endAccess() {
        super.endAccess();
        requests.decrementAndGet();
        relevo.requestEnded(this);
    }

    // ------------------------------------------------------------- For the manager

    SessionKey key() {
        return key;
    }

    boolean isStored() {
        return stored;
    }

    void setStored(boolean stored) {
        this.stored = stored;
    }

    boolean isOutdated() {
        return outdated;
    }

    void setOutdated() {
        outdated = true;
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

    /** Waits for a commit under way, for so long; whoever gets true unlocks. */
    boolean lock(long millis) {
        try {
            return commitLock.tryLock(millis, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    void unlock() {
        commitLock.unlock();
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

    /** Adds the present bytes of a name to {@code changes}. */
    void write(String full, Changes changes) {
        try {
            byte[] bytes = bytes(full);
            if (bytes == null) {
                changes.remove(full);
            } else {
                changes.put(full, bytes);
            }
        } catch (ConcurrentModificationException e) {
            // Another request changes the value just now, and its own commit is to come.
            pending.add(full);
        }
    }

    /** Serializes without a lock: others may use the session meanwhile, and even the value. */
    private byte[] bytes(String full) {
        Object value = SessionState.isAttribute(full) ? attributes.get(SessionState.name(full)) : state(full);
        if (value instanceof StoredAttribute) {
            return ((StoredAttribute) value).bytes();
        }
        boolean shared = value != null && (!SessionState.isAttribute(full) || isShared(SessionState.name(full), value));
        return shared ? relevo.write(this, full, value) : null;
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

    /** What is known in the cluster under this name beside attributes; null if there is nothing. */
    private Object state(String full) {
        switch (full) {
            case SessionState.CREATED:
                return creationTime;
            case SessionState.PRINCIPAL:
                return principal instanceof Serializable ? principal : null;
            case SessionState.AUTH_TYPE:
                return authType;
            case SessionState.LISTENERS:
                return replicatedListeners();
            default:
                return SessionState.isNote(full) ? notes.get(SessionState.name(full)) : null;
        }
    }

    /** What is of another class than it should be is as good as nothing: a faulty node may have sent it. */
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
            listeners.stream().filter(ReplicatedSessionListener.class::isInstance).forEach(replicated::add);
        }
        return replicated.isEmpty() ? null : replicated;
    }

    private void setReplicatedListeners(List<?> replicated) {
        synchronized (listeners) {
            listeners.removeIf(ReplicatedSessionListener.class::isInstance);
            replicated.stream().filter(ReplicatedSessionListener.class::isInstance)
                    .forEach(listener -> listeners.add((SessionListener) listener));
        }
    }

    @Override
    public String toString() {
        return "RelevoSession[" + (id == null ? "" : SessionKey.abbreviate(id)) + "]";
    }

}
