package org.relevo.tomcat;

/** Parts of a session id: {@code 6B94….tomcat1} is the key {@code 6B94…} and the route {@code tomcat1}. */
final class Route {

    private Route() {
    }

    /** The id without its route: what the cluster knows a session by. */
    static String key(String id) {
        int dot = id.indexOf('.');
        return dot < 0 ? id : id.substring(0, dot);
    }

    /** The id with this route, unless it has one. */
    static String with(String id, String route) {
        return route == null || id.indexOf('.') >= 0 ? id : id + "." + route;
    }

    /** The route, or null if the id has none. */
    static String of(String id) {
        int dot = id.indexOf('.');
        return dot < 0 ? null : id.substring(dot + 1);
    }
}
