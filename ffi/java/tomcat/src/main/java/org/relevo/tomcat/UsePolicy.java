package org.relevo.tomcat;

import java.lang.reflect.Field;

import org.apache.catalina.session.ManagerBase;
import org.apache.catalina.session.StandardSession;

/** How a session's uses are counted: from Tomcat 10.1 on a setting of the manager, before that one of the virtual machine. */
final class UsePolicy {

    /** Whether a session doesn't expire while a request uses it. */
    final boolean checksActivity;

    /** Whether the idle time begins with a request and not with its end. */
    final boolean countsFromStart;

    private UsePolicy(boolean checksActivity, boolean countsFromStart) {
        this.checksActivity = checksActivity;
        this.countsFromStart = countsFromStart;
    }

    static UsePolicy of(ManagerBase manager) {
        return new UsePolicy(is(manager, "SessionActivityCheck", "ACTIVITY_CHECK"),
                is(manager, "SessionLastAccessAtStart", "LAST_ACCESS_AT_START"));
    }

    private static boolean is(ManagerBase manager, String property, String constant) {
        Object value = Property.get(manager, property);
        return Boolean.TRUE.equals(value == null ? constant(constant) : value);
    }

    private static Object constant(String name) {
        try {
            Field constant = StandardSession.class.getDeclaredField(name);
            constant.setAccessible(true);
            return constant.get(null);
        } catch (ReflectiveOperationException e) {
            return null;
        }
    }
}
