package org.relevo.tomcat;

import java.util.Map;

import jakarta.servlet.http.HttpSession;
import jakarta.servlet.http.HttpSessionActivationListener;
import jakarta.servlet.http.HttpSessionBindingEvent;
import jakarta.servlet.http.HttpSessionBindingListener;
import jakarta.servlet.http.HttpSessionEvent;

import org.apache.catalina.Context;

/** Values that listen to what happens to their session. One that fails costs a line in the application's log. */
final class ValueListeners {

    private ValueListeners() {
    }

    /** A value became an object on this node. */
    static void activated(Context context, HttpSession session, Object value) {
        if (!(value instanceof HttpSessionActivationListener)) {
            return;
        }
        try {
            ((HttpSessionActivationListener) value).sessionDidActivate(new HttpSessionEvent(session));
        } catch (Throwable e) {
            Values.throwIfFatal(e);
            context.getLogger().error("sessionDidActivate of " + value.getClass().getName(), e);
        }
    }

    /** The session of these values has ended. */
    static void unbound(Context context, HttpSession session, Map<String, Object> attributes) {
        ClassLoader before = context.bind(false, null);
        try {
            attributes.forEach((name, value) -> unbound(context, session, name, value));
        } finally {
            context.unbind(false, before);
        }
    }

    private static void unbound(Context context, HttpSession session, String name, Object value) {
        if (!(value instanceof HttpSessionBindingListener)) {
            return;
        }
        try {
            ((HttpSessionBindingListener) value).valueUnbound(new HttpSessionBindingEvent(session, name, value));
        } catch (Throwable e) {
            Values.throwIfFatal(e);
            context.getLogger().error("valueUnbound of " + value.getClass().getName(), e);
        }
    }
}
