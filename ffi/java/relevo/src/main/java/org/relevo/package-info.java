/**
 * A Relevo node for Java: {@link org.relevo.Node} is what a node can do, {@link org.relevo.NativeNode} the one that
 * does it, through the native library that {@link org.relevo.NativeLoader} finds.
 *
 * <p>Knows nothing of Tomcat and starts no thread.
 */
package org.relevo;
