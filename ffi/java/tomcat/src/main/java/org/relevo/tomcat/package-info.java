/**
 * Relevo for Tomcat. {@link org.relevo.tomcat.RelevoCluster} stands where Tomcat's {@code SimpleTcpCluster}
 * stood and takes its settings; {@link org.relevo.tomcat.RelevoManager} and {@link org.relevo.tomcat.RelevoSession}
 * stand for {@code DeltaManager} and {@code DeltaSession}, {@link org.relevo.tomcat.ReplicationValve} and
 * {@link org.relevo.tomcat.RouteBinderValve} for {@code ReplicationValve} and {@code JvmRouteBinderValve}.
 *
 * <p>A session is a Java object on the node that serves it and nowhere else; on the others it is bytes in the node,
 * which a new primary turns into objects, attribute by attribute, when an application asks for them.
 */
package org.relevo.tomcat;
