package org.relevo.tomcat;

import java.lang.reflect.Method;

/** Reads and copies properties that not every Tomcat has. */
final class Property {

    private Property() {
    }

    /** The property's value; null if the bean hasn't got one of this name. */
    static Object get(Object bean, String name) {
        try {
            return bean.getClass().getMethod("get" + name).invoke(bean);
        } catch (ReflectiveOperationException e) {
            return null;
        }
    }

    /** Copies the property unless this Tomcat hasn't got it. */
    static void copy(String name, Object from, Object to) {
        try {
            Method getter = from.getClass().getMethod("get" + name);
            to.getClass().getMethod("set" + name, getter.getReturnType()).invoke(to, getter.invoke(from));
        } catch (NoSuchMethodException e) {
            // A later or an earlier Tomcat has it.
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(name, e);
        }
    }
}
