package org.relevo.tomcat;

import java.util.concurrent.ConcurrentHashMap;

import org.apache.catalina.Session;

/**
 * Sessions by id, whatever route the id carries: a session that moved here is found by the id of its former primary,
 * which requests may still bring.
 */
final class SessionMap extends ConcurrentHashMap<String, Session> {

    private static final long serialVersionUID = 1L;

    @Override
    public Session get(Object id) {
        return super.get(key(id));
    }

    @Override
    public Session put(String id, Session session) {
        return super.put(key(id), session);
    }

    @Override
    public Session remove(Object id) {
        return super.remove(key(id));
    }

    @Override
    public boolean remove(Object id, Object session) {
        return super.remove(key(id), session);
    }

    @Override
    public boolean containsKey(Object id) {
        return super.containsKey(key(id));
    }

    private static String key(Object id) {
        return Route.key((String) id);
    }
}
