package org.relevo.tomcat;

import java.io.ObjectInputFilter;
import java.io.ObjectInputFilter.Status;
import java.lang.reflect.Proxy;

/**
 * The classes of the JDK that hold values: each is named, and all others are refused.
 *
 * <p>Not here, although applications could want them: {@code java.net.SocketPermission} asks the network for names when
 * it is compared; {@code SignedObject}, {@code SealedObject} and {@code MarshalledObject} hold a stream of their own.
 */
final class JdkValues {

    private static final ObjectInputFilter VALUES = ObjectInputFilter.Config.createFilter(String.join(";",
            // Simple values.
            "java.lang.Object", "java.lang.String", "java.lang.Boolean", "java.lang.Character", "java.lang.Number",
            "java.lang.Byte", "java.lang.Short", "java.lang.Integer", "java.lang.Long", "java.lang.Float",
            "java.lang.Double", "java.lang.StringBuffer", "java.lang.StringBuilder", "java.lang.Class",
            "java.lang.Enum", "java.lang.Record", "java.lang.StackTraceElement", "java.lang.String$CaseInsensitive*",
            "java.lang.invoke.SerializedLambda", "java.lang.reflect.Proxy", "java.math.*", "java.io.File",
            // Times, texts, places.
            "java.time.*", "java.time.chrono.*", "java.time.zone.*", "java.text.*", "java.util.Date",
            "java.util.Calendar", "java.util.GregorianCalendar", "java.util.JapaneseImperialCalendar",
            "sun.util.BuddhistCalendar", "sun.util.calendar.*", "java.util.TimeZone", "java.util.SimpleTimeZone",
            "java.util.Locale", "java.util.Currency", "java.util.UUID", "java.util.Random", "java.util.regex.Pattern",
            "java.net.URI", "java.net.URL", "java.net.InetAddress", "java.net.Inet4Address", "java.net.Inet6Address",
            "java.net.InetSocketAddress", "java.sql.Date", "java.sql.Time", "java.sql.Timestamp",
            "javax.sql.rowset.serial.SerialBlob", "javax.sql.rowset.serial.SerialClob", "javax.xml.namespace.QName",
            "javax.xml.datatype.*", "com.sun.org.apache.xerces.internal.jaxp.datatype.*",
            // Collections and what shows them.
            "java.util.ArrayList", "java.util.LinkedList", "java.util.Vector", "java.util.Stack",
            "java.util.ArrayDeque", "java.util.PriorityQueue", "java.util.HashMap", "java.util.LinkedHashMap",
            "java.util.TreeMap", "java.util.TreeMap$*", "java.util.IdentityHashMap", "java.util.Hashtable",
            "java.util.Properties", "java.util.EnumMap", "java.util.HashSet", "java.util.LinkedHashSet",
            "java.util.TreeSet", "java.util.EnumSet", "java.util.EnumSet$*", "java.util.JumboEnumSet",
            "java.util.RegularEnumSet", "java.util.BitSet", "java.util.AbstractMap$*", "java.util.Map$*",
            "java.util.HashMap$*", "java.util.Arrays$*", "java.util.Collections$*", "java.util.CollSer",
            "java.util.ImmutableCollections$*", "java.util.Comparators$*", "java.util.Comparator",
            "java.util.StringJoiner", "java.util.EventObject", "java.util.concurrent.ConcurrentHashMap",
            "java.util.concurrent.ConcurrentHashMap$*", "java.util.concurrent.ConcurrentLinkedQueue",
            "java.util.concurrent.ConcurrentLinkedDeque", "java.util.concurrent.ConcurrentSkipListMap",
            "java.util.concurrent.ConcurrentSkipListMap$*", "java.util.concurrent.ConcurrentSkipListSet",
            "java.util.concurrent.CopyOnWriteArrayList", "java.util.concurrent.CopyOnWriteArraySet",
            "java.util.concurrent.ArrayBlockingQueue", "java.util.concurrent.LinkedBlockingDeque",
            "java.util.concurrent.LinkedBlockingQueue", "java.util.concurrent.PriorityBlockingQueue",
            // What beans count and lock with.
            "java.util.concurrent.atomic.*", "java.util.concurrent.locks.*", "java.util.concurrent.Semaphore",
            "java.util.concurrent.Semaphore$*", "java.util.concurrent.ThreadLocalRandom",
            "java.beans.PropertyChangeSupport", "java.beans.VetoableChangeSupport", "java.beans.PropertyChangeEvent",
            // Pictures' measures.
            "java.awt.Color", "java.awt.Dimension", "java.awt.Point", "java.awt.Rectangle", "java.awt.geom.Point2D*",
            "java.awt.geom.Rectangle2D*", "java.awt.geom.Line2D*", "java.awt.geom.Ellipse2D*",
            "java.awt.geom.AffineTransform", "java.awt.geom.Dimension2D",
            // Identities and keys.
            "java.security.KeyPair", "java.security.KeyRep", "java.security.cert.Certificate$CertificateRep",
            "java.security.cert.CertPath$CertPathRep", "javax.crypto.spec.SecretKeySpec",
            "javax.security.auth.Subject", "javax.security.auth.Subject$SecureSet",
            "javax.security.auth.x500.X500Principal", "javax.security.auth.kerberos.KerberosPrincipal"));

    private JdkValues() {
    }

    /** A proxy's class belongs to nobody: its interfaces and its handler are asked for by themselves. */
    static boolean isOfTheJdk(Class<?> type) {
        String module = type.getModule().getName();
        return !Proxy.isProxyClass(type) && (type.getClassLoader() == null
                || module != null && (module.startsWith("java.") || module.startsWith("jdk.")));
    }

    /** Whether this class of the JDK is a value: a named one, a public enumeration or exception, or an interface. */
    static boolean has(ObjectInputFilter.FilterInfo info, Class<?> type) {
        if (VALUES.checkInput(info) == Status.ALLOWED) {
            return true;
        }
        String name = type.getName();
        boolean published = name.startsWith("java.") && !name.startsWith("java.rmi.")
                || name.startsWith("javax.") && !name.startsWith("javax.management.");
        return published && (Enum.class.isAssignableFrom(type) || Throwable.class.isAssignableFrom(type)
                || type.isInterface() && name.startsWith("java."));
    }
}
