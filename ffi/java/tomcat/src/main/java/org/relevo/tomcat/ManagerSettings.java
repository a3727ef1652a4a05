package org.relevo.tomcat;

import java.beans.IntrospectionException;
import java.beans.Introspector;
import java.beans.PropertyDescriptor;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

import org.apache.catalina.SessionIdGenerator;
import org.apache.catalina.ha.ClusterManager;
import org.apache.catalina.ha.session.ClusterManagerBase;
import org.apache.catalina.ha.session.DeltaManager;
import org.apache.catalina.session.ManagerBase;

/** Copies the settings of the {@code Manager} element, which Tomcat's digester makes a {@code DeltaManager} of. */
final class ManagerSettings {

    /** Taken here or by {@link RelevoCluster}, or without meaning where copies are bytes and nothing listens to them. */
    private static final Set<String> UNDERSTOOD = Set.of("maxActiveSessions", "processExpiresFrequency",
            "sessionAttributeNameFilter", "sessionAttributeValueClassNameFilter", "warnOnSessionAttributeFilterFailure",
            "secureRandomClass", "secureRandomProvider", "secureRandomAlgorithm", "sessionIdGenerator",
            "sessionActivityCheck", "sessionLastAccessAtStart", "notifyBindingListenerOnUnchangedValue",
            "notifyAttributeListenerOnUnchangedValue", "persistAuthentication", "expireSessionsOnShutdown",
            "notifyListenersOnReplication", "notifySessionListenersOnReplication",
            "notifyContainerListenersOnReplication", "mapSendOptions", "name", "cluster", "context");

    /** Settings that the managers of Tomcat 9.0 or 8.5 don't have. */
    private static final List<String> OF_LATER_TOMCATS = List.of("SessionActivityCheck", "SessionLastAccessAtStart",
            "NotifyBindingListenerOnUnchangedValue", "NotifyAttributeListenerOnUnchangedValue");

    private ManagerSettings() {
    }

    /** Copies what every manager of Tomcat has. */
    static void copy(ManagerBase from, ManagerBase to) {
        to.setMaxActiveSessions(from.getMaxActiveSessions());
        to.setProcessExpiresFrequency(from.getProcessExpiresFrequency());
        to.setSessionAttributeNameFilter(from.getSessionAttributeNameFilter());
        to.setSessionAttributeValueClassNameFilter(from.getSessionAttributeValueClassNameFilter());
        to.setWarnOnSessionAttributeFilterFailure(from.getWarnOnSessionAttributeFilterFailure());
        to.setSecureRandomClass(from.getSecureRandomClass());
        to.setSecureRandomProvider(from.getSecureRandomProvider());
        to.setSecureRandomAlgorithm(from.getSecureRandomAlgorithm());
        to.setPersistAuthentication(from.getPersistAuthentication());
        for (String name : OF_LATER_TOMCATS) {
            Property.copy(name, from, to);
        }
        copyIdGenerator(from.getSessionIdGenerator(), to);
    }

    /** Copies what the cluster's managers have beside it. */
    static void copy(ClusterManager from, RelevoManager to) {
        if (from instanceof DeltaManager) {
            to.setExpireSessionsOnShutdown(((DeltaManager) from).isExpireSessionsOnShutdown());
        }
    }

    /** Each application gets its own, as in {@code ClusterManagerBase.clone}. */
    private static void copyIdGenerator(SessionIdGenerator from, ManagerBase to) {
        if (from == null) {
            return;
        }
        try {
            SessionIdGenerator copy = from.getClass().getConstructor().newInstance();
            copy.setSessionIdLength(from.getSessionIdLength());
            to.setSessionIdGenerator(copy);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("SessionIdGenerator " + from.getClass().getName(), e);
        }
    }

    /** The settings of the element that were changed and that have no effect here. */
    static List<String> notServed(ClusterManager template) {
        List<String> names = new ArrayList<>();
        if (!(template instanceof ClusterManagerBase)) {
            return names;
        }
        try {
            Object stock = template.getClass().getConstructor().newInstance();
            for (PropertyDescriptor each : Introspector.getBeanInfo(template.getClass()).getPropertyDescriptors()) {
                if (isSetting(each) && !value(each, template).equals(value(each, stock))) {
                    names.add(each.getName());
                }
            }
        } catch (IntrospectionException | ReflectiveOperationException e) {
            // A template that can't be looked at has nothing to tell.
        }
        return names;
    }

    private static boolean isSetting(PropertyDescriptor property) {
        return property.getReadMethod() != null && property.getWriteMethod() != null
                && !UNDERSTOOD.contains(property.getName());
    }

    /** Some getters need a context, which a template doesn't have; those are no settings. */
    private static String value(PropertyDescriptor property, Object bean) {
        try {
            return String.valueOf(property.getReadMethod().invoke(bean));
        } catch (ReflectiveOperationException e) {
            return "";
        }
    }
}
