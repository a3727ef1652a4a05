package org.relevo.tomcat;

import java.io.ObjectInputFilter;
import java.io.ObjectInputFilter.FilterInfo;
import java.io.ObjectInputFilter.Status;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The second line of defence: classes that only the administrator may allow, no matter which node wrote them into a session.
 *
 * <p>It lists by name the classes of published chains that end in a command, a foreign class or a connection. It lists by
 * kind the parts of such chains: classes that answer for a proxy, compare by running code, or open connections. Library
 * classes of these kinds are never learned; classes of the application itself are not checked for them.
 */
final class KnownGadgets {

    private static final ObjectInputFilter NAMES = ObjectInputFilter.Config.createFilter("!" + String.join(";!",
            // Languages inside Java: their functions run when they are called, hashed or compared.
            "bsh.**", "clojure.**", "com.redhat.ceylon.**", "groovy.lang.*", "groovy.util.*", "org.codehaus.groovy.**",
            "org.apache.groovy.**", "org.jruby.**", "org.mozilla.javascript.**", "org.python.**", "scala.sys.**",
            "scala.Function*", "scala.runtime.AbstractFunction*", "scala.collection.View*",
            "scala.collection.Iterator*", "scala.collection.immutable.LazyList*", "org.apache.commons.jelly.**",
            "ognl.**", "org.mvel2.**", "freemarker.**", "org.apache.velocity.**", "org.springframework.expression.**",
            "org.apache.el.**", "com.sun.el.**", "de.odysseus.el.**", "org.apache.myfaces.view.facelets.el.**",
            "org.apache.myfaces.el.**",
            // Reflection that is configured by fields.
            "org.apache.commons.beanutils.Bean*", "org.apache.commons.beanutils.WrapDyna*",
            "org.apache.commons.beanutils2.Bean*", "org.apache.commons.beanutils2.WrapDyna*",
            collections("org.apache.commons.collections"), collections("org.apache.commons.collections4"),
            "org.apache.commons.lang3.compare.*", "org.apache.commons.lang3.function.*", "org.apache.click.control.**",
            "com.rometools.rome.feed.**", "com.sun.syndication.feed.**", "com.alibaba.fastjson.**",
            "com.alibaba.fastjson2.**", "com.fasterxml.jackson.databind.node.POJONode",
            "tools.jackson.databind.node.POJONode", "net.sf.json.**", "com.vaadin.data.util.**",
            "com.vaadin.v7.data.util.**", "org.jboss.interceptor.**", "org.jboss.weld.interceptor.**",
            "org.jboss.invocation.**", "javassist.**", "net.bytebuddy.**", "net.sf.cglib.**", "org.objenesis.**",
            // Of Spring, what looks beans up, advises calls or resolves names.
            "org.springframework.aop.**", "org.aopalliance.**", "org.aspectj.**", "org.springframework.beans.**",
            "org.springframework.cglib.**", "org.springframework.core.SerializableTypeWrapper*",
            "org.springframework.ejb.**", "org.springframework.jdbc.datasource.**", "org.springframework.jms.**",
            "org.springframework.jndi.**", "org.springframework.objenesis.**", "org.springframework.orm.**",
            "org.springframework.remoting.**", "org.springframework.transaction.**",
            // Stylesheets and paths that compile or evaluate.
            "org.apache.xalan.**", "org.apache.xpath.**", "org.apache.xml.**", "org.apache.batik.**", "net.sf.saxon.**",
            // Databases, pools, transactions, persistence: connections, and streams within streams.
            "com.alibaba.druid.**", "com.atomikos.**", "com.caucho.**", "com.ibatis.**", "com.ibm.db2.**",
            "com.ibm.jms.**", "com.ibm.websphere.**", "com.ibm.ws.**", "com.mchange.**",
            "com.microsoft.sqlserver.jdbc.**", "com.mysql.**", "com.sun.jndi.**", "com.zaxxer.hikari.**",
            "oracle.jdbc.**", "oracle.ucp.**", "org.apache.activemq.**", "org.apache.commons.dbcp.**",
            "org.apache.commons.dbcp2.**", "org.apache.commons.pool.**", "org.apache.commons.pool2.**",
            "org.apache.derby.**", "org.apache.ibatis.**", "org.apache.ignite.**", "org.apache.naming.**",
            "org.apache.openjpa.ee.**", "org.apache.shiro.jndi.**", "org.apache.shiro.realm.**", "org.apache.tomcat.**",
            "org.apache.xbean.**", "org.eclipse.persistence.sessions.**", "org.h2.**", "org.hibernate.engine.**",
            "org.hibernate.impl.**", "org.hibernate.internal.**", "org.hibernate.jmx.**", "org.hibernate.property.**",
            "org.hibernate.service.**", "org.hibernate.tuple.**", "org.hibernate.type.**", "org.hsqldb.**",
            "org.infinispan.**", "org.jboss.ejb.**", "org.logicalcobwebs.**", "org.mariadb.**", "org.postgresql.ds.**",
            "org.postgresql.xa.**", "com.hazelcast.**", "flex.messaging.**", "net.sf.ehcache.**", "org.ehcache.**",
            "weblogic.**",
            // Files that are made, changed or deleted while they are read or collected; a container's own parts.
            "org.apache.commons.fileupload.**", "org.apache.commons.fileupload2.**", "org.apache.commons.io.**",
            "org.apache.commons.configuration.**", "org.apache.commons.configuration2.**", "com.sun.xml.bind.**",
            "org.apache.wicket.util.upload.*", "org.apache.wicket.util.file.*", "org.apache.wicket.util.io.*",
            "org.apache.logging.log4j.core.**", "org.apache.logging.log4j.message.**",
            "org.apache.logging.log4j.util.**", "org.apache.catalina.**", "org.apache.coyote.**",
            "org.apache.jasper.**"));

    /** Kinds by name: the library need not be there. */
    private static final Set<String> KINDS = Set.of("java.util.Comparator", "java.util.concurrent.Callable",
            "java.lang.Runnable", "java.lang.ClassLoader", "java.lang.AutoCloseable", "java.util.Iterator",
            "java.util.Enumeration", "java.rmi.Remote", "javax.sql.CommonDataSource", "javax.naming.Context",
            "javax.naming.Referenceable", "javax.naming.spi.ObjectFactory", "javax.naming.Reference",
            "javax.xml.transform.Templates", "java.beans.beancontext.BeanContext", "java.util.function.Function",
            "java.util.function.Supplier", "java.util.function.BiFunction", "java.util.function.Consumer",
            "java.util.function.Predicate", "java.lang.reflect.InvocationHandler", "groovy.lang.Closure",
            "kotlin.jvm.internal.Lambda", "scala.Function0",
            "javassist.util.proxy.MethodHandler", "net.sf.cglib.proxy.Callback", "com.google.common.base.Function",
            "com.google.common.base.Supplier", "org.aopalliance.aop.Advice",
            "org.springframework.beans.factory.ObjectFactory", "org.apache.commons.collections.Transformer",
            "org.apache.commons.collections4.Transformer");

    private KnownGadgets() {
    }

    /** Commons Collections' parts that call what they are given; its plain maps and lists hold values. */
    private static String collections(String root) {
        return root + ".bag.TreeBag;!" + root + ".comparators.*;!" + root + ".functors.*;!" + root + ".keyvalue.TiedMapEntry;!"
                + Stream.of("bag", "bidimap", "buffer", "collection", "list", "map", "multimap", "queue", "set")
                        .flatMap(part -> Stream.of("Lazy*", "Defaulted*", "Indexed*", "Predicated*", "Transformed*")
                                .map(kind -> root + "." + part + "." + kind))
                        .collect(Collectors.joining(";!"));
    }

    /** Whether attacks with this class are published. */
    static boolean hasName(FilterInfo info) {
        return NAMES.checkInput(info) == Status.REJECTED;
    }

    /** Whether objects of this class of a library run code that other objects chose, by what they are. */
    static boolean isOfTheirKind(Class<?> type) {
        if (type.isInterface()) {
            return false;
        }
        for (Class<?> each = type; each != null; each = each.getSuperclass()) {
            if (KINDS.contains(each.getName()) || implementsOne(each)) {
                return true;
            }
        }
        return false;
    }

    private static boolean implementsOne(Class<?> type) {
        for (Class<?> each : type.getInterfaces()) {
            if (KINDS.contains(each.getName()) || implementsOne(each)) {
                return true;
            }
        }
        return false;
    }
}
