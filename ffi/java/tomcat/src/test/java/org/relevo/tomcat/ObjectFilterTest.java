package org.relevo.tomcat;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;
import static org.relevo.tomcat.Forgery.renamed;
import static org.relevo.tomcat.Forgery.stream;

import java.awt.Color;
import java.io.IOException;
import java.io.Serializable;
import java.io.StringReader;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.net.InetAddress;
import java.net.URI;
import java.rmi.MarshalledObject;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.security.SignedObject;
import java.sql.Timestamp;
import java.text.DecimalFormat;
import java.text.SimpleDateFormat;
import java.time.DayOfWeek;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.Period;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Calendar;
import java.util.Collections;
import java.util.Comparator;
import java.util.Currency;
import java.util.Date;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.GregorianCalendar;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Hashtable;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.LinkedList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Properties;
import java.util.Set;
import java.util.TimeZone;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.Vector;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.regex.Pattern;

import javax.crypto.Cipher;
import javax.crypto.KeyGenerator;
import javax.crypto.SealedObject;
import javax.management.BadAttributeValueExpException;
import javax.naming.NamingException;
import javax.security.auth.x500.X500Principal;
import javax.sql.rowset.RowSetProvider;
import javax.xml.datatype.DatatypeFactory;
import javax.xml.namespace.QName;
import javax.xml.transform.Templates;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.stream.StreamSource;

import org.apache.catalina.core.StandardContext;
import org.junit.jupiter.api.Test;
import org.relevo.tomcat.AttributeCodec.RefusedException;
import org.relevo.tomcat.AttributeCodec.UnreadableException;
import org.relevo.tomcat.Forgery.Bomb;

class ObjectFilterTest {

    private static AttributeCodec codec(String pattern) {
        return new AttributeCodec(new StandardContext(), new ObjectFilter(pattern));
    }

    private final AttributeCodec codec = codec(null);

    private Object again(Object value) throws Exception {
        return codec.read(codec.write(value, type -> fail(type + " will be refused")));
    }

    private String refusal(byte[] bytes) {
        return assertThrows(RefusedException.class, () -> codec.read(bytes)).getMessage();
    }

    // ------------------------------------------------------------- What applications need

    @Test
    void valuesOfTheJdkPass() throws Exception {
        List<Object> values = List.of(2.5, 'c', (byte) 1, (short) 2, 1.5f, new BigDecimal("1.25"), BigInteger.TEN,
                RoundingMode.UP, Instant.EPOCH, LocalDate.EPOCH, ZonedDateTime.now(ZoneId.of("Europe/Madrid")),
                Duration.ofDays(1), Period.ofMonths(2), DayOfWeek.MONDAY, TimeUnit.DAYS, new Date(1), new Timestamp(2),
                java.sql.Date.valueOf("2026-01-02"), new GregorianCalendar(TimeZone.getTimeZone("Europe/Madrid")),
                Calendar.getInstance(Locale.forLanguageTag("th-TH-u-ca-buddhist")), TimeZone.getTimeZone("UTC"),
                Locale.CANADA, Currency.getInstance("EUR"), UUID.randomUUID(), URI.create("http://localhost/"),
                InetAddress.getLoopbackAddress(), new BitSet(7), new SimpleDateFormat("yyyy", Locale.ROOT),
                new DecimalFormat("0.0"), new Color(1, 2, 3), new java.io.File("a"), new QName("a", "b"),
                new X500Principal("CN=a"),
                DatatypeFactory.newInstance().newXMLGregorianCalendar("2026-01-02"));
        for (Object value : values) {
            assertEquals(value, again(value), value.getClass().getName());
        }
        for (Object value : List.of(new AtomicLong(3), Pattern.compile("a*"), new ReentrantLock(), new Object[0].getClass(),
                new java.beans.PropertyChangeSupport("bean"), Comparator.naturalOrder())) {
            assertEquals(value.getClass(), again(value).getClass());
        }
        for (Throwable value : List.of(new NamingException("why"), new java.sql.SQLException("why", new IOException()),
                new java.lang.reflect.InvocationTargetException(new Error("why")))) {
            assertEquals(value.getMessage(), ((Throwable) again(value)).getMessage());
        }
    }

    @Test
    void collectionsAndArraysPass() throws Exception {
        List<String> some = List.of("a", "b", "c");
        Map<String, Integer> map = Map.of("a", 1, "b", 2);
        for (Object value : List.of(some, map, Set.of(1), List.of(), Map.of(), new ArrayList<>(some),
                new LinkedList<>(some), new Vector<>(some), new CopyOnWriteArrayList<>(some), Arrays.asList("x", null),
                new HashSet<>(some), new LinkedHashSet<>(some), new TreeSet<>(some), EnumSet.of(DayOfWeek.MONDAY),
                new HashMap<>(map), new LinkedHashMap<>(map), new TreeMap<>(map), new ConcurrentHashMap<>(map),
                new ConcurrentSkipListMap<>(map), new Hashtable<>(map), new EnumMap<>(Map.of(DayOfWeek.FRIDAY, "x")),
                new Properties(), Collections.emptyList(), Collections.singletonMap("a", 1),
                Collections.unmodifiableMap(new TreeMap<>(map)), Collections.synchronizedList(new ArrayList<>(some)),
                Collections.nCopies(5, "x"))) {
            assertEquals(value, again(value), value.getClass().getName());
        }
        assertEquals(some, new ArrayList<>((ArrayDeque<?>) again(new ArrayDeque<>(some))));
        assertEquals(3, ((PriorityQueue<?>) again(new PriorityQueue<>(some))).size());
        assertEquals(2, ((IdentityHashMap<?, ?>) again(new IdentityHashMap<>(map))).size());
        assertArrayEquals(new int[][] { { 1 }, { 2, 3 } }, (int[][]) again(new int[][] { { 1 }, { 2, 3 } }));
        assertArrayEquals(new String[] { "a" }, (String[]) again(new String[] { "a" }));
        assertEquals(100_000, ((byte[]) again(new byte[100_000])).length);
    }

    @Test
    void hashTablesOfAnySizePass() throws Exception {
        for (int size = 0; size < 3_000; size = size * 2 + 1) {
            Map<Integer, Integer> flat = new HashMap<>();
            Set<Object> sparse = new HashSet<>(size, 0.25f);
            List<Object> small = new ArrayList<>();
            for (int i = 0; i < size; i++) {
                flat.put(i, null);
                sparse.add(i);
                small.add(new HashMap<>(Map.of(i, i)));
            }
            for (Object value : List.of(flat, sparse, small, new Hashtable<>(Collections.nCopies(size, 1).isEmpty()
                    ? Map.of() : Map.of(1, small)))) {
                assertEquals(value, again(value));
            }
            assertEquals(size, ((Map<?, ?>) again(new IdentityHashMap<>(flat))).size());
        }
    }

    private enum Colour {
        RED, GREEN {
            @Override
            public String toString() {
                return "green";
            }
        }
    }

    private static class Item implements Serializable {
        private static final long serialVersionUID = 1L;
        final String name;
        final Colour colour;
        final Map<String, List<Item>> parts = new TreeMap<>();
        final Function<String, Integer> measure = (Function<String, Integer> & Serializable) String::length;

        Item(String name, Colour colour) {
            this.name = name;
            this.colour = colour;
        }
    }

    @Test
    void classesOfTheApplicationPass() throws Exception {
        Item item = new Item("cart", Colour.GREEN);
        item.parts.put("x", new ArrayList<>(List.of(new Item("bolt", Colour.RED), item)));
        Item read = (Item) again(item);
        assertEquals(Colour.GREEN, read.colour);
        assertEquals("bolt", read.parts.get("x").get(0).name);
        assertEquals(read, read.parts.get("x").get(1));
        assertEquals(3, read.measure.apply("abc"));
        assertEquals(2, ((Object[]) again(new Item[] { item, null })).length);
    }

    /** This module is compiled for Java 11, which has no records; where there are some, they pass. */
    @Test
    void recordsPass() {
        ObjectFilter filter = new ObjectFilter(null);
        ApplicationClasses application = filter.application(new StandardContext(), null);
        assertTrue(filter.noteWritten(UnixPrincipalLike.class, application));
        try {
            assertTrue(filter.noteWritten(Class.forName("java.lang.Record"), application));
        } catch (ClassNotFoundException e) {
            // Java 11.
        }
    }

    private static final class UnixPrincipalLike implements java.security.Principal, Serializable {
        private static final long serialVersionUID = 1L;

        @Override
        public String getName() {
            return "anna";
        }
    }

    // ------------------------------------------------------------- What attackers send

    @Test
    void gadgetsOfTheJdkAreRefused() throws Exception {
        String xslt = "<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform'/>";
        Templates templates = TransformerFactory.newInstance().newTemplates(new StreamSource(new StringReader(xslt)));
        assertRefused("TemplatesImpl", templates);
        assertRefused("BadAttributeValueExpException", new BadAttributeValueExpException("x"));
        assertRefused("com.sun.rowset.JdbcRowSetImpl", RowSetProvider.newFactory().createJdbcRowSet());
        assertRefused("javax.naming.Reference", new javax.naming.Reference("class"));
        assertRefused("javax.swing.event.EventListenerList", new javax.swing.event.EventListenerList());
        assertRefused("java.rmi.server.ObjID", new java.rmi.server.ObjID());
        for (String name : List.of("sun.reflect.annotation.AnnotationInvocationHandler",
                "java.rmi.server.RemoteObjectInvocationHandler", "java.rmi.server.UnicastRemoteObject",
                "javax.management.remote.rmi.RMIConnector", "java.beans.beancontext.BeanContextSupport",
                "javax.swing.UIDefaults", "com.sun.org.apache.xalan.internal.xsltc.trax.TemplatesImpl",
                "com.sun.jndi.ldap.LdapName", "javax.naming.ldap.Rdn$RdnEntry")) {
            String message = refusal(renamed(stream(new Plain()), Plain.class.getName(), name));
            assertTrue(message.contains(name), message);
        }
    }

    @Test
    void streamsWithinStreamsAreRefused() throws Exception {
        KeyPair keys = KeyPairGenerator.getInstance("RSA").generateKeyPair();
        assertRefused("java.security.SignedObject",
                new SignedObject("inner", keys.getPrivate(), Signature.getInstance("SHA256withRSA")));
        Cipher cipher = Cipher.getInstance("AES");
        cipher.init(Cipher.ENCRYPT_MODE, KeyGenerator.getInstance("AES").generateKey());
        assertRefused("javax.crypto.SealedObject", new SealedObject("inner", cipher));
        assertRefused("java.rmi.MarshalledObject", new MarshalledObject<>("inner"));
    }

    private void assertRefused(String name, Object value) throws IOException {
        String message = refusal(stream(value));
        assertTrue(message.contains(name), message);
        // Wherever it hides.
        refusal(stream(new Object[] { 1, new ArrayList<>(List.of(new HashMap<>(Map.of("x", value)))) }));
    }

    private static final class Plain implements Serializable {
        private static final long serialVersionUID = 1L;
    }

    /** Has a bomb under the name of any class. */
    private static final class Forger extends ClassLoader {
        private final String name;

        Forger(String name) {
            super(Bomb.class.getClassLoader());
            this.name = name;
        }

        @Override
        protected Class<?> findClass(String asked) throws ClassNotFoundException {
            if (!asked.equals(name)) {
                throw new ClassNotFoundException(asked);
            }
            try {
                byte[] bytes = Forgery.classFile(Bomb.class, name);
                return defineClass(name, bytes, 0, bytes.length, Bomb.class.getProtectionDomain());
            } catch (IOException e) {
                throw new ClassNotFoundException(name, e);
            }
        }
    }

    private Object readForged(String name) throws Exception {
        Thread thread = Thread.currentThread();
        ClassLoader before = thread.getContextClassLoader();
        thread.setContextClassLoader(new Forger(name));
        try {
            return codec.read(renamed(stream(new Bomb()), Bomb.class.getName(), name));
        } finally {
            thread.setContextClassLoader(before);
        }
    }

    @Test
    void gadgetsOfLibrariesAreRefusedBeforeTheyRun() throws Exception {
        System.clearProperty(Forgery.PROPERTY);
        for (String name : List.of("org.apache.commons.collections.functors.InvokerTransformer",
                "org.apache.commons.collections.functors.ChainedTransformer",
                "org.apache.commons.collections.map.LazyMap", "org.apache.commons.collections.keyvalue.TiedMapEntry",
                "org.apache.commons.collections4.functors.InstantiateTransformer",
                "org.apache.commons.collections4.comparators.TransformingComparator",
                "org.apache.commons.beanutils.BeanComparator", "org.codehaus.groovy.runtime.ConvertedClosure",
                "org.springframework.core.SerializableTypeWrapper$MethodInvokeTypeProvider",
                "com.mchange.v2.c3p0.impl.PoolBackedDataSourceBase", "bsh.XThis", "org.python.core.PyFunction",
                "com.sun.syndication.feed.impl.ObjectBean", "com.rometools.rome.feed.impl.ToStringBean",
                "org.aspectj.weaver.tools.cache.SimpleCache$StoreableCachingMap", "clojure.core$comp",
                "org.apache.commons.fileupload.disk.DiskFileItem", "org.mozilla.javascript.NativeJavaObject",
                "org.hibernate.tuple.component.PojoComponentTuplizer", "org.apache.naming.ResourceRef")) {
            String message = assertThrows(RefusedException.class, () -> readForged(name)).getMessage();
            assertTrue(message.startsWith("class " + name + ", 1 deep;"), message);
        }
        assertEquals(null, System.getProperty(Forgery.PROPERTY));
        // The same class under a name of the application's own: the bombs were real.
        assertEquals("org.example.shop.Cart", readForged("org.example.shop.Cart").getClass().getName());
        assertEquals("org.example.shop.Cart", System.getProperty(Forgery.PROPERTY));
    }

    // ------------------------------------------------------------- Sizes

    @Test
    void setsThatHoldEachOtherWithoutEndAreRefused() throws Exception {
        Set<Object> root = new HashSet<>();
        Set<Object> left = root;
        Set<Object> right = new HashSet<>();
        for (int i = 0; i < 100; i++) {
            Set<Object> one = new HashSet<>(List.of("foo"));
            Set<Object> other = new HashSet<>();
            left.addAll(List.of(one, other));
            right.addAll(List.of(one, other));
            left = one;
            right = other;
        }
        assertTrue(refusal(stream(root)).contains("asks for more work"));
    }

    @Test
    void listsThatHoldEachOtherWithoutEndAreRefused() throws Exception {
        List<Object> list = new ArrayList<>(List.of("foo"));
        for (int i = 0; i < 100; i++) {
            list = i % 2 == 0 ? new LinkedList<>(List.of(list, list)) : Arrays.asList(list, list);
        }
        List<Object> inner = list;
        assertTrue(refusal(stream(new Object[] { inner, new HashSet<>() })).contains("itself too many times"));
    }

    @Test
    void depthIsBounded() throws Exception {
        Map<String, Object> map = new HashMap<>();
        for (int i = 0; i < 150; i++) {
            map = new HashMap<>(Map.of("inner", map));
        }
        assertEquals(map, again(map));
        for (int i = 0; i < 150; i++) {
            map = new HashMap<>(Map.of("inner", map));
        }
        assertTrue(refusal(stream(map)).endsWith("201 deep"));
        assertTrue(codec("maxdepth=400").read(stream(map)) instanceof HashMap);
    }

    @Test
    void arraysNeverClaimMoreThanTheirBytes() throws Exception {
        byte[] bytes = stream(new byte[1_000]);
        int length = bytes.length - 1_000 - 4;
        bytes[length] = 0x7f;
        String message = refusal(bytes);
        assertTrue(message.startsWith("class [B for 21307"), message);

        bytes = stream(new ArrayList<>(Collections.nCopies(40, null)));
        for (int i = 0; i + 3 < bytes.length; i++) {
            if (bytes[i] == 0 && bytes[i + 1] == 0 && bytes[i + 2] == 0 && bytes[i + 3] == 40) {
                bytes[i] = 0x20;
            }
        }
        refusal(bytes);
    }

    // ------------------------------------------------------------- Settings

    @Test
    void theAdministratorDecidesFirst() throws Exception {
        byte[] reference = stream(new javax.naming.Reference("class"));
        refusal(reference);
        assertTrue(codec("javax.naming.*").read(reference) instanceof javax.naming.Reference);
        byte[] item = stream(new Item("x", Colour.RED));
        assertThrows(RefusedException.class, () -> codec("!org.relevo.tomcat.*").read(item));
        assertThrows(RefusedException.class, () -> codec("maxarray=10").read(stream(new int[11])));
        String closed = "org.relevo.tomcat.ObjectFilterTest$Item; java.base/*; !*";
        assertThrows(RefusedException.class, () -> codec(closed).read(stream(new Plain())));
        assertThrows(IllegalArgumentException.class, () -> new ObjectFilter("maxdepth=many"));
    }

    @Test
    void whatWillBeRefusedIsToldWhenItIsWritten() throws Exception {
        List<Class<?>> told = new ArrayList<>();
        codec.write(new ArrayList<>(List.of("x", new javax.naming.Reference("class"))), told::add);
        assertEquals(List.of(javax.naming.Reference.class), told);
    }

    @Test
    void brokenStreamsAreNotCalledRefused() throws Exception {
        byte[] bytes = stream(new Item("x", Colour.RED));
        UnreadableException e = assertThrows(UnreadableException.class,
                () -> codec.read(Arrays.copyOf(bytes, bytes.length - 40)));
        assertFalse(e instanceof RefusedException, e.toString());
    }
}
