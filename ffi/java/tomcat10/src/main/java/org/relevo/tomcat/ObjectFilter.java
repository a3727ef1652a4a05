package org.relevo.tomcat;

import java.io.ObjectInputFilter;
import java.io.ObjectInputFilter.FilterInfo;
import java.io.ObjectInputFilter.Status;
import java.lang.reflect.Proxy;

/**
 * Which classes may become objects out of a session's bytes, and how large a value may be.
 *
 * <p>The administrator's pattern decides first, in the language of {@code jdk.serialFilter}. Where it is silent, of the
 * JDK's own classes those that hold values are allowed and no others, and of all others, which are the application's and
 * its libraries', those are refused that are known to run what an attacker wrote when they are read, or that read
 * objects of their own past this filter.
 */
final class ObjectFilter {

    /** Deeper graphs would come near the end of a request's stack. */
    private static final String LIMITS = "maxdepth=200";

    /** Values of the JDK. Its exceptions and enumerations are allowed as well, but for the packages refused here. */
    private static final ObjectInputFilter JDK = filter("!javax.management.**", "!java.rmi.**", "!sun.rmi.**",
            "java.lang.*", "java.lang.invoke.SerializedLambda", "java.lang.reflect.Proxy", "java.io.*", "java.math.*",
            "java.net.*", "java.text.*", "java.time.**", "java.util.*", "java.util.concurrent.**",
            "java.util.function.*", "java.util.regex.*", "sun.util.BuddhistCalendar", "sun.util.calendar.*",
            "java.sql.*", "javax.sql.rowset.serial.*", "java.beans.PropertyChangeSupport",
            "java.beans.VetoableChangeSupport", "java.beans.PropertyChangeEvent", "java.awt.Color",
            "java.awt.Dimension", "java.awt.Point", "java.awt.Rectangle", "java.awt.geom.*", "java.security.KeyPair",
            "java.security.KeyRep", "java.security.Principal", "java.security.cert.*", "javax.crypto.spec.*",
            "javax.security.auth.*", "javax.security.auth.kerberos.*", "javax.security.auth.x500.*",
            "javax.xml.datatype.*", "javax.xml.namespace.*", "com.sun.org.apache.xerces.internal.jaxp.datatype.*");

    /** Classes of libraries of which chains are known that end in a command or a foreign class. */
    private static final ObjectInputFilter LIBRARIES = filter("!bsh.**", "!clojure.core$*", "!clojure.inspector.**",
            "!com.fasterxml.jackson.databind.node.POJONode", "!com.mchange.**", "!com.redhat.ceylon.compiler.**",
            "!com.rometools.rome.feed.impl.*", "!com.sun.syndication.feed.impl.*", "!groovy.util.Expando",
            "!oracle.jdbc.connector.*", "!oracle.jdbc.rowset.*", "!org.apache.batik.swing.**",
            "!org.apache.click.control.**", "!org.apache.commons.beanutils.BeanComparator",
            "!org.apache.commons.beanutils2.BeanComparator",
            "!org.apache.commons.collections.comparators.TransformingComparator",
            "!org.apache.commons.collections.functors.*", "!org.apache.commons.collections.keyvalue.TiedMapEntry",
            "!org.apache.commons.collections.map.LazyMap",
            "!org.apache.commons.collections4.comparators.TransformingComparator",
            "!org.apache.commons.collections4.functors.*", "!org.apache.commons.collections4.keyvalue.TiedMapEntry",
            "!org.apache.commons.collections4.map.LazyMap", "!org.apache.commons.configuration.**",
            "!org.apache.commons.configuration2.**", "!org.apache.commons.dbcp.**", "!org.apache.commons.dbcp2.**",
            "!org.apache.commons.fileupload.disk.*", "!org.apache.commons.fileupload2.**",
            "!org.apache.commons.jelly.**", "!org.apache.naming.**", "!org.apache.openjpa.ee.**",
            "!org.apache.tomcat.dbcp.**", "!org.apache.tomcat.util.http.fileupload.**",
            "!org.apache.wicket.util.upload.*", "!org.apache.xalan.**", "!org.apache.xbean.naming.**",
            "!org.aspectj.weaver.**", "!org.codehaus.groovy.runtime.ConvertedClosure",
            "!org.codehaus.groovy.runtime.MethodClosure", "!org.hibernate.engine.spi.TypedValue",
            "!org.hibernate.property.**", "!org.hibernate.tuple.component.**", "!org.jboss.interceptor.**",
            "!org.jboss.invocation.**", "!org.logicalcobwebs.**", "!org.mozilla.javascript.**",
            "!org.python.core.PyBytecode*", "!org.python.core.PyFunction*", "!org.python.core.PyMethod*",
            "!org.springframework.aop.support.DefaultBeanFactoryPointcutAdvisor",
            "!org.springframework.beans.factory.config.PropertyPathFactoryBean",
            "!org.springframework.core.SerializableTypeWrapper*", "!org.springframework.jndi.**",
            "!org.springframework.transaction.jta.**", "!weblogic.**");

    private final ObjectInputFilter own;

    /**
     * @param pattern the administrator's, in the language of {@code jdk.serialFilter}; null: none
     * @throws IllegalArgumentException if it isn't one
     */
    ObjectFilter(String pattern) {
        own = filter(LIMITS, pattern == null ? "" : pattern.replaceAll("\\s+", ""));
    }

    private static ObjectInputFilter filter(String... patterns) {
        return ObjectInputFilter.Config.createFilter(String.join(";", patterns));
    }

    /** The check of one value. */
    Reading reading(int bytes) {
        return new Reading(bytes);
    }

    /** Whether other nodes with this filter will refuse the class: to be told before it matters. */
    boolean refuses(Class<?> type) {
        return decide(new ClassAlone(type)) == Status.REJECTED;
    }

    private Status decide(FilterInfo info) {
        Status status = own.checkInput(info);
        Class<?> type = info.serialClass();
        while (type != null && type.isArray()) {
            type = type.getComponentType();
        }
        if (status != Status.UNDECIDED || type == null || type.isPrimitive()) {
            return status;
        }
        return isOfTheJdk(type) ? decideJdk(info, type) : LIBRARIES.checkInput(info);
    }

    private static Status decideJdk(FilterInfo info, Class<?> type) {
        Status status = JDK.checkInput(info);
        boolean harmless = Enum.class.isAssignableFrom(type) || Throwable.class.isAssignableFrom(type);
        return status == Status.UNDECIDED && !harmless ? Status.REJECTED : status;
    }

    /** A proxy's class belongs to nobody; its interfaces and its handler are asked for by themselves. */
    private static boolean isOfTheJdk(Class<?> type) {
        String module = type.getModule().getName();
        return !Proxy.isProxyClass(type) && (type.getClassLoader() == null
                || module != null && (module.startsWith("java.") || module.startsWith("jdk.")));
    }

    /** Checks one value while it is read, and remembers what it refused. */
    final class Reading implements ObjectInputFilter {

        private final ObjectInputFilter everywhere = ObjectInputFilter.Config.getSerialFilter();
        private final Unfolded unfolded = new Unfolded();
        private long elementsLeft;
        private String refused;

        /** Each element of an array has a byte at least; hash tables ask for a few times as much as they have. */
        private Reading(int bytes) {
            elementsLeft = 64 + 4L * bytes;
        }

        /** What was refused and why; null if nothing was. */
        String refused() {
            return refused;
        }

        @Override
        public Status checkInput(FilterInfo info) {
            elementsLeft -= Math.max(info.arrayLength(), 0);
            boolean refuse = elementsLeft < 0 || everywhere != null && everywhere.checkInput(info) == Status.REJECTED;
            Status status = refuse ? Status.REJECTED : decide(info);
            if (status == Status.REJECTED) {
                refuse(describe(info));
            }
            return status;
        }

        /** Counts an object that has been read; false if nobody may ask for its hash. */
        boolean accepts(Object value) {
            boolean accepted = unfolded.add(value) <= Unfolded.MOST;
            if (!accepted) {
                refuse("class " + value.getClass().getName() + " holding itself more than " + Unfolded.MOST + " times");
            }
            return accepted;
        }

        private void refuse(String what) {
            if (refused == null) {
                refused = what;
            }
        }

        private String describe(FilterInfo info) {
            String what = info.serialClass() == null ? "an object" : "class " + info.serialClass().getName();
            return what + (info.arrayLength() < 0 ? "" : " for " + info.arrayLength() + " elements") + ", "
                    + info.depth() + " deep";
        }
    }

    /** A class that nobody reads just now. */
    private static final class ClassAlone implements FilterInfo {

        private final Class<?> type;

        ClassAlone(Class<?> type) {
            this.type = type;
        }

        @Override
        public Class<?> serialClass() {
            return type;
        }

        @Override
        public long arrayLength() {
            return -1;
        }

        @Override
        public long depth() {
            return 1;
        }

        @Override
        public long references() {
            return 1;
        }

        @Override
        public long streamBytes() {
            return 0;
        }
    }
}
