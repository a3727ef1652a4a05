package org.relevo.tomcat;

import org.apache.catalina.SessionListener;

/**
 * Which listeners of a session travel with it: those that Tomcat's cluster marks with an interface of its own, which isn't
 * there where its jar isn't.
 */
final class ReplicatedListeners {

    private static final Class<?> MARK = mark();

    private ReplicatedListeners() {
    }

    private static Class<?> mark() {
        try {
            return Class.forName("org.apache.catalina.ha.session.ReplicatedSessionListener");
        } catch (ClassNotFoundException | LinkageError e) {
            return null;
        }
    }

    static boolean isReplicated(Object listener) {
        return listener instanceof SessionListener && MARK != null && MARK.isInstance(listener);
    }
}
