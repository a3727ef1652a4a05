package org.relevo.tomcat;

import java.lang.reflect.Field;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Proxy;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Hashtable;
import java.util.Map;
import java.util.PriorityQueue;

/** Objects as an attacker puts them together: without constructors, and without running what they would run. */
final class Forged {

    /** Called by reflection: the compiler warns of each mention. */
    private static final Object UNSAFE = unsafe();

    private Forged() {
    }

    private static Object unsafe() {
        try {
            Field field = Class.forName("sun.misc.Unsafe").getDeclaredField("theUnsafe");
            field.setAccessible(true);
            return field.get(null);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Object unsafe(String name, Class<?>[] types, Object... arguments)
            throws ReflectiveOperationException {
        Method method = UNSAFE.getClass().getMethod(name, types);
        return method.invoke(UNSAFE, arguments);
    }

    static Class<?> type(String name) throws ClassNotFoundException {
        return Class.forName(name, false, Forged.class.getClassLoader());
    }

    /** An object of this class with these fields: a name, a value, a name, a value. */
    static Object make(String type, Object... fields) throws ReflectiveOperationException {
        Object made = unsafe("allocateInstance", new Class<?>[] { Class.class }, type(type));
        for (int i = 0; i < fields.length; i += 2) {
            set(made, (String) fields[i], fields[i + 1]);
        }
        return made;
    }

    static Object set(Object target, String name, Object value) throws ReflectiveOperationException {
        for (Class<?> type = target.getClass(); type != null; type = type.getSuperclass()) {
            for (Field field : type.getDeclaredFields()) {
                if (field.getName().equals(name) && !Modifier.isStatic(field.getModifiers())) {
                    put(target, field, value);
                    return target;
                }
            }
        }
        throw new NoSuchFieldException(target.getClass().getName() + "." + name);
    }

    private static void put(Object target, Field field, Object value) throws ReflectiveOperationException {
        long offset = (long) unsafe("objectFieldOffset", new Class<?>[] { Field.class }, field);
        boolean isInt = field.getType() == int.class;
        unsafe(isInt ? "putInt" : "putObject",
                new Class<?>[] { Object.class, long.class, isInt ? int.class : Object.class }, target, offset, value);
    }

    private static Object get(Object target, String name) throws ReflectiveOperationException {
        Field field = target.getClass().getDeclaredField(name);
        field.setAccessible(true);
        return field.get(target);
    }

    /** Asks the key for its hash when it is read. */
    static Object asKey(Object key) throws ReflectiveOperationException {
        Map<Object, Object> map = new HashMap<>(Map.of("key", "value"));
        for (Object node : (Object[]) get(map, "table")) {
            if (node != null) {
                set(node, "key", key);
            }
        }
        return map;
    }

    /** Asks the first key whether it equals the second one when it is read. */
    static Object asKeys(Object first, Object second) throws ReflectiveOperationException {
        Hashtable<Object, Object> table = new Hashtable<>(Map.of("a", 1, "b", 2));
        Object[] keys = { first, second };
        int next = 0;
        for (Object entry : (Object[]) get(table, "table")) {
            for (Object each = entry; each != null; each = get(each, "next")) {
                set(each, "key", keys[next++]);
            }
        }
        return table;
    }

    /** Asks the comparator about these two when it is read. */
    static Object asQueue(Object comparator, Object first, Object second) throws ReflectiveOperationException {
        PriorityQueue<Object> queue = new PriorityQueue<>(2, (Comparator<Object>) (a, b) -> 0);
        queue.add(1);
        queue.add(2);
        set(queue, "comparator", comparator);
        Object[] elements = (Object[]) get(queue, "queue");
        elements[0] = first;
        elements[1] = second;
        return queue;
    }

    /** Answers with this handler. */
    static Object proxy(Object handler, Class<?>... interfaces) {
        return Proxy.newProxyInstance(Forged.class.getClassLoader(), interfaces, (InvocationHandler) handler);
    }
}
