package org.relevo.tomcat;

import java.io.IOException;
import java.io.InputStream;
import java.io.InvalidClassException;
import java.io.ObjectInputStream;
import java.io.ObjectStreamClass;
import java.lang.reflect.Proxy;

/**
 * Reads objects with the classes of a web application (like Tomcat's {@code CustomObjectInputStream}, which is final)
 * that a filter allows, and remembers which class it asked for last: the one to name if it isn't there.
 */
final class WebappObjectInputStream extends ObjectInputStream {

    /** A loader looks through all libraries for a class that isn't there. */
    private static final int MISSING_MOST = 8;

    private final ClassLoader loader;
    private final ObjectFilter.Reading filter;
    private String lastClass = "unknown";
    private int missing;

    WebappObjectInputStream(InputStream in, ClassLoader loader, ObjectFilter.Reading filter) throws IOException {
        super(in);
        this.loader = loader;
        this.filter = filter;
        setObjectInputFilter(filter);
    }

    String lastClass() {
        return lastClass;
    }

    @Override
    protected Class<?> resolveClass(ObjectStreamClass description) throws IOException, ClassNotFoundException {
        lastClass = description.getName();
        try {
            return Class.forName(lastClass, false, loader);
        } catch (ClassNotFoundException e) {
            return primitive(description, e);
        }
    }

    /** The primitive types have class objects that no loader knows. */
    private Class<?> primitive(ObjectStreamClass description, ClassNotFoundException notFound)
            throws IOException, ClassNotFoundException {
        try {
            return super.resolveClass(description);
        } catch (ClassNotFoundException e) {
            if (++missing > MISSING_MOST) {
                throw new InvalidClassException(lastClass, "many classes are missing");
            }
            // The first one tells more.
            throw notFound;
        }
    }

    @Override
    protected Class<?> resolveProxyClass(String[] names) throws IOException, ClassNotFoundException {
        Class<?>[] interfaces = new Class<?>[names.length];
        for (int i = 0; i < names.length; i++) {
            lastClass = names[i];
            interfaces[i] = Class.forName(names[i], false, loader);
            if (!filter.allowsInterface(interfaces[i])) {
                throw new InvalidClassException(names[i], "refused");
            }
        }
        try {
            return Proxy.newProxyInstance(loader, interfaces, (proxy, method, arguments) -> null).getClass();
        } catch (IllegalArgumentException e) {
            throw new ClassNotFoundException(String.join(", ", names), e);
        }
    }
}
