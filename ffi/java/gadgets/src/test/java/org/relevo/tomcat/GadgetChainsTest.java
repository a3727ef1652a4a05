package org.relevo.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.relevo.tomcat.Forged.asKey;
import static org.relevo.tomcat.Forged.asKeys;
import static org.relevo.tomcat.Forged.asQueue;
import static org.relevo.tomcat.Forged.make;
import static org.relevo.tomcat.Forged.proxy;
import static org.relevo.tomcat.Forged.type;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.ObjectStreamClass;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import org.apache.catalina.core.StandardContext;
import org.junit.jupiter.api.Test;
import org.relevo.tomcat.AttributeCodec.RefusedException;

/** Published chains of real libraries: not one of their objects is made. */
class GadgetChainsTest {

    private interface Chain {
        Object build() throws Exception;
    }

    private static final String CC3 = "org.apache.commons.collections.";
    private static final String CC4 = "org.apache.commons.collections4.";
    private static final String SPRING = "org.springframework.";

    private final Map<String, Chain> chains = new LinkedHashMap<>();

    GadgetChainsTest() {
        languages();
        collections();
        beans();
        spring();
        json();
        databases();
        others();
    }

    private void languages() {
        chains.put("Clojure: Iterate", () -> asKey(make("clojure.lang.Iterate", "_hash", 0, "f",
                make("clojure.main$eval_opt"), "_seed",
                "(System/setProperty \"relevo.test.ran\" \"clojure\")")));
        chains.put("Clojure: core$comp", () -> asQueue(make("clojure.core$comp"), 1, 2));
        chains.put("Groovy1: ConvertedClosure", () -> asKey(proxy(make("org.codehaus.groovy.runtime.ConvertedClosure",
                "methodName", "hashCode", "delegate", make("org.codehaus.groovy.runtime.MethodClosure", "method", "exec")),
                Map.class)));
        chains.put("Groovy: CurriedClosure", () -> asKey(proxy(make("org.codehaus.groovy.runtime.ConvertedClosure",
                "methodName", "hashCode", "delegate", make("org.codehaus.groovy.runtime.CurriedClosure")), Map.class)));
        chains.put("Groovy: MethodClosure", () -> make("org.codehaus.groovy.runtime.MethodClosure", "method", "exec"));
        chains.put("Jython1: PyFunction", () -> asQueue(proxy(make("org.python.core.PyFunction"), Comparator.class), 1, 2));
        chains.put("Jython: PyMethod", () -> make("org.python.core.PyMethod"));
        chains.put("BeanShell1: XThis", () -> asQueue(proxy(make("bsh.XThis$Handler"), Comparator.class), 1, 2));
        chains.put("Rhino1: NativeError", () -> asKey(make("org.mozilla.javascript.NativeError")));
        chains.put("Rhino2: NativeJavaObject", () -> asKey(make("org.mozilla.javascript.NativeJavaArray")));
        chains.put("Scala: LazyList", () -> new Raw("scala.collection.immutable.LazyList$SerializationProxy"));
    }

    private void collections() {
        for (String root : List.of(CC3, CC4)) {
            chains.put(root + ": LazyMap in TiedMapEntry", () -> asKey(make(root + "keyvalue.TiedMapEntry", "map",
                    lazyMap(root), "key", "x")));
            chains.put(root + ": LazyMaps in a Hashtable", () -> asKeys(lazyMap(root), lazyMap(root)));
            chains.put(root + ": DefaultedMap", () -> asKey(make(root + "map.DefaultedMap", "map", new HashMap<>(),
                    "value", invoker(root))));
            chains.put(root + ": InstantiateTransformer", () -> make(root + "functors.InstantiateTransformer"));
            chains.put(root + ": PredicatedMap", () -> asKey(make(root + "map.PredicatedMap", "map", new HashMap<>(),
                    "keyPredicate", make(root + "functors.TransformerPredicate"))));
        }
        chains.put("CC2: TransformingComparator", () -> asQueue(make(CC4 + "comparators.TransformingComparator",
                "transformer", invoker(CC4)), 1, 2));
        chains.put("CC4: ChainedTransformer", () -> asQueue(make(CC4 + "comparators.TransformingComparator",
                "transformer", make(CC4 + "functors.ChainedTransformer")), 1, 2));
        chains.put("CC8: TreeBag", () -> treeBag());
        chains.put("CommonsBeanutils1: BeanComparator", () -> asQueue(
                make("org.apache.commons.beanutils.BeanComparator", "property", "value"), new Marker(), new Marker()));
        chains.put("AspectJWeaver: SimpleCache", () -> asKey(make(CC3 + "keyvalue.TiedMapEntry", "map", make(CC3
                + "map.LazyMap", "map", make("org.aspectj.weaver.tools.cache.SimpleCache$StoreableCachingMap")), "key",
                "x")));
        chains.put("Lang3: ObjectToStringComparator", () -> asQueue(
                make("org.apache.commons.lang3.compare.ObjectToStringComparator"), 1, 2));
    }

    private static Object invoker(String root) throws ReflectiveOperationException {
        return make(root + "functors.InvokerTransformer", "iMethodName", "mark", "iParamTypes", new Class<?>[0], "iArgs",
                new Object[0]);
    }

    private static Object lazyMap(String root) throws ReflectiveOperationException {
        Object chain = make(root + "functors.ChainedTransformer", "iTransformers",
                java.lang.reflect.Array.newInstance(type(root + "Transformer"), 2));
        Object[] steps = (Object[]) java.lang.reflect.Array.newInstance(type(root + "Transformer"), 2);
        steps[0] = make(root + "functors.ConstantTransformer", "iConstant", new Marker());
        steps[1] = invoker(root);
        Forged.set(chain, "iTransformers", steps);
        return make(root + "map.LazyMap", "map", new HashMap<>(), "factory", chain);
    }

    private static Object treeBag() throws Exception {
        Object bag = type(CC4 + "bag.TreeBag").getConstructor().newInstance();
        Object comparator = make(CC4 + "comparators.TransformingComparator", "transformer", invoker(CC4));
        Forged.set(bag, "map", new java.util.TreeMap<>((Comparator<?>) comparator));
        return bag;
    }

    private void beans() {
        chains.put("ROME: ObjectBean", () -> asKey(make("com.sun.syndication.feed.impl.ObjectBean", "_equalsBean",
                make("com.sun.syndication.feed.impl.EqualsBean", "_beanClass", Object.class, "_obj",
                        make("com.sun.syndication.feed.impl.ToStringBean")))));
        chains.put("ROME 1.7: EqualsBean", () -> asKey(make("com.rometools.rome.feed.impl.EqualsBean", "beanClass",
                Object.class, "obj", make("com.rometools.rome.feed.impl.ToStringBean"))));
        chains.put("Vaadin1: PropertysetItem", () -> asKey(make("com.vaadin.data.util.PropertysetItem", "map",
                new HashMap<>(Map.of("x", make("com.vaadin.data.util.ObjectProperty"))))));
        chains.put("Vaadin: NestedMethodProperty", () -> make("com.vaadin.data.util.NestedMethodProperty"));
        chains.put("Click1: ColumnComparator", () -> asQueue(make("org.apache.click.control.Column$ColumnComparator"), 1,
                2));
        chains.put("Xalan: XString", () -> asKeys(make("org.apache.xpath.objects.XString"), 1));
        chains.put("Xalan: TemplatesImpl", () -> make("org.apache.xalan.xsltc.trax.TemplatesImpl", "_bytecodes",
                new byte[1][1], "_name", "x"));
    }

    private void spring() {
        chains.put("Spring1: SerializableTypeWrapper", () -> make(SPRING
                + "core.SerializableTypeWrapper$MethodInvokeTypeProvider", "methodName", "x"));
        chains.put("Spring2: JdkDynamicAopProxy", () -> asKey(proxy(make(SPRING + "aop.framework.JdkDynamicAopProxy",
                "advised", make(SPRING + "aop.framework.AdvisedSupport")), Map.class)));
        chains.put("Spring + AspectJ: AspectJAfterAdvice", () -> asKey(proxy(make(SPRING
                + "aop.framework.JdkDynamicAopProxy", "advised", make(SPRING + "aop.aspectj.AspectJAfterAdvice")),
                Map.class)));
        chains.put("Spring: AspectJAroundAdvice", () -> make(SPRING + "aop.aspectj.AspectJAroundAdvice"));
        chains.put("Spring: HotSwappableTargetSource", () -> asKeys(make(SPRING + "aop.target.HotSwappableTargetSource"),
                make(SPRING + "aop.target.HotSwappableTargetSource")));
        chains.put("Spring: SimpleBeanTargetSource", () -> make(SPRING + "aop.target.SimpleBeanTargetSource"));
        chains.put("Spring: ObjectFactoryDelegatingInvocationHandler", () -> asKey(proxy(make(SPRING
                + "beans.factory.support.AutowireUtils$ObjectFactoryDelegatingInvocationHandler"), Map.class)));
        chains.put("Spring3: JtaTransactionManager", () -> make(SPRING + "transaction.jta.JtaTransactionManager"));
        chains.put("Spring: DefaultBeanFactoryPointcutAdvisor", () -> asKeys(make(SPRING
                + "aop.support.DefaultBeanFactoryPointcutAdvisor"), 1));
    }

    private void json() {
        chains.put("fastjson: JSONArray", () -> asQueue(make("org.apache.commons.lang3.compare.ObjectToStringComparator"),
                make("com.alibaba.fastjson.JSONArray", "list", new ArrayList<>(List.of(new Marker()))), 1));
        chains.put("fastjson: JSONObject", () -> asKey(make("com.alibaba.fastjson.JSONObject", "map", new HashMap<>())));
        chains.put("fastjson2: JSONArray", () -> asKey(type("com.alibaba.fastjson2.JSONArray").getConstructor()
                .newInstance()));
        chains.put("Jackson: POJONode", () -> new Raw("com.fasterxml.jackson.databind.node.POJONode"));
        chains.put("Jackson 3: POJONode", () -> new Raw("tools.jackson.databind.node.POJONode"));
        chains.put("json-lib: JSONObject", () -> asKey(make("net.sf.json.JSONObject", "properties", new HashMap<>())));
        chains.put("json-lib: JSONArray", () -> asKey(make("net.sf.json.JSONArray", "elements", new ArrayList<>())));
    }

    private void databases() {
        chains.put("C3P0: PoolBackedDataSource", () -> type("com.mchange.v2.c3p0.PoolBackedDataSource").getConstructor()
                .newInstance());
        chains.put("C3P0: WrapperConnectionPoolDataSource", () -> type(
                "com.mchange.v2.c3p0.WrapperConnectionPoolDataSource").getConstructor().newInstance());
        chains.put("Hibernate1: TypedValue", () -> asKey(make("org.hibernate.engine.spi.TypedValue", "type",
                make("org.hibernate.type.ComponentType"), "value", "x")));
        chains.put("Hibernate: ComponentType", () -> make("org.hibernate.type.ComponentType"));
        chains.put("MyBatis: JavassistSerialStateHolder", () -> new Raw(
                "org.apache.ibatis.executor.loader.javassist.JavassistSerialStateHolder"));
        chains.put("H2: JdbcDataSource", () -> make("org.h2.jdbcx.JdbcDataSource"));
        chains.put("PostgreSQL: PGSimpleDataSource", () -> type("org.postgresql.ds.PGSimpleDataSource").getConstructor()
                .newInstance());
        chains.put("Atomikos: UserTransactionManager", () -> new Raw("com.atomikos.icatch.jta.UserTransactionManager"));
        chains.put("DBCP2: SharedPoolDataSource", () -> make("org.apache.commons.dbcp2.datasources.SharedPoolDataSource"));
    }

    private void others() {
        chains.put("FileUpload1: DiskFileItem", () -> new Raw("org.apache.commons.fileupload.disk.DiskFileItem"));
        chains.put("Wicket1: DiskFileItem", () -> new Raw("org.apache.wicket.util.upload.DiskFileItem"));
        chains.put("Tomcat: ValueExpressionImpl", () -> new Raw("org.apache.naming.ResourceRef"));
    }

    /** A class that writes nothing by itself without what else it needs. */
    private static final class Raw {
        final String type;

        Raw(String type) {
            this.type = type;
        }
    }

    /** The method that an attacker would make the reader call. */
    public static final class Marker implements java.io.Serializable {
        private static final long serialVersionUID = 1L;

        public String mark() {
            System.setProperty("relevo.test.ran", "marker");
            return "marked";
        }

        public String getValue() {
            return mark();
        }
    }

    // ------------------------------------------------------------- Reading

    private static byte[] stream(Object value) throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(value instanceof Raw ? ObjectStreamClass.lookupAny(type(((Raw) value).type)) : value);
        }
        return bytes.toByteArray();
    }

    /** The first class in the stream that isn't the JDK's: whatever comes before it, it is the first to be made. */
    private static String firstForeign(byte[] bytes) throws Exception {
        List<String> names = new ArrayList<>();
        try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes)) {
            @Override
            protected Class<?> resolveClass(ObjectStreamClass description) throws IOException, ClassNotFoundException {
                Class<?> type = Class.forName(description.getName(), false, Forged.class.getClassLoader());
                if (!JdkValues.isOfTheJdk(element(type))) {
                    names.add(element(type).getName());
                    throw new IOException("enough");
                }
                return type;
            }
        }) {
            in.readObject();
        } catch (IOException | RuntimeException e) {
            // What was asked is known.
        }
        return names.isEmpty() ? null : names.get(0);
    }

    private static Class<?> element(Class<?> type) {
        return type.isArray() ? element(type.getComponentType()) : type;
    }

    private static AttributeCodec codec(String pattern, LearnedClasses learned) {
        return new AttributeCodec(new StandardContext(), new ObjectFilter(pattern), learned);
    }

    @Test
    void noObjectOfAPublishedChainIsMade() throws Exception {
        System.clearProperty("relevo.test.ran");
        List<String> passed = new ArrayList<>();
        for (Map.Entry<String, Chain> chain : chains.entrySet()) {
            String failure = failure(chain.getValue());
            if (failure != null) {
                passed.add(chain.getKey() + ": " + failure);
            }
        }
        assertEquals(List.of(), passed);
        assertTrue(chains.size() >= 25, chains.size() + " chains");
        assertNull(System.getProperty("relevo.test.ran"));
    }

    /** The fault of a chain; null if it was refused at its first foreign class, even after that class was learned. */
    private static String failure(Chain chain) {
        try {
            byte[] bytes = stream(chain.build());
            String first = firstForeign(bytes);
            LearnedClasses learned = new LearnedClasses("test", () -> null);
            AttributeCodec codec = codec(null, learned);
            String plain = refusal(codec, bytes);
            learned.learn(String.valueOf(first));
            String poisoned = refusal(codec, bytes);
            boolean atOnce = plain.startsWith("class " + first) && poisoned.startsWith("class " + first);
            return atOnce ? null : first + " is the first; " + plain + "; learned: " + poisoned;
        } catch (Exception | LinkageError e) {
            return e.toString();
        }
    }

    private static String refusal(AttributeCodec codec, byte[] bytes) throws AttributeCodec.UnreadableException {
        try {
            return "read: " + codec.read(bytes);
        } catch (RefusedException e) {
            return e.getMessage();
        }
    }

    /** The same objects under a filter that allows all: the chains are real. */
    @Test
    void withoutTheFilterTheyRun() throws Exception {
        for (String name : List.of("Clojure: Iterate", CC3 + ": LazyMap in TiedMapEntry",
                "CommonsBeanutils1: BeanComparator")) {
            System.clearProperty("relevo.test.ran");
            byte[] bytes = stream(chains.get(name).build());
            try {
                codec("*", new LearnedClasses("test", () -> null)).read(bytes);
            } catch (AttributeCodec.UnreadableException e) {
                // It ran all the same.
            }
            assertTrue(System.getProperty("relevo.test.ran") != null, name);
        }
    }
}
