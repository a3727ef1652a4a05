package org.relevo;

/** Something that happened in the cluster and that a node tells its application. */
public final class Event {

    /** The kind of an event. The native side numbers kinds in this order (a test of {@code relevo-jni} compares both). */
    public enum Kind {
        /** A concurrent commit of the same attribute elsewhere won over this node's commit, which is lost. */
        CONFLICT,
        /** The session ended on another node: drop cached contents of it. */
        INVALIDATED,
        /** Another node became the session's primary: drop what was kept of it. */
        MOVED,
        /** An idle session whose primary is gone is to be ended here: fetch it, run its listeners, invalidate it. */
        EXPIRED,
        /** The session was served without an answer of all that may hold a newer copy. */
        MAYBE_STALE,
        /** Events were lost because nobody took them in time: look at everything again. */
        RESYNC,
        /** Something about members, told in words. */
        MEMBERS,
        /** Something that needs an administrator, told in words. */
        WARNING
    }

    private final Kind kind;
    private final SessionKey session;
    private final String text;

    private Event(Kind kind, SessionKey session, String text) {
        this.kind = kind;
        this.session = session;
        this.text = text;
    }

    /** @return an event about {@code session} */
    public static Event of(Kind kind, SessionKey session) {
        return new Event(kind, session, session.toString());
    }

    /** @return an event told in words */
    public static Event of(Kind kind, String text) {
        return new Event(kind, null, text);
    }

    /** @return what happened */
    public Kind kind() {
        return kind;
    }

    /** @return the session it is about, or null */
    public SessionKey session() {
        return session;
    }

    /** @return the event in words, without its kind */
    public String text() {
        return text;
    }

    @Override
    public String toString() {
        return kind + " " + text;
    }
}
