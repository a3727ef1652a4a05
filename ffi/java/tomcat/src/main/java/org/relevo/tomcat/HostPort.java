package org.relevo.tomcat;

import java.net.Inet6Address;
import java.net.InetAddress;

import org.relevo.RelevoException;

/** A host and a port, written {@code host:port}. */
final class HostPort {

    final String host;
    final int port;

    private HostPort(String host, int port) {
        this.host = host;
        this.port = port;
    }

    /**
     * @param setting that has it
     * @param text {@code host:port}; a numeric IPv6 address in brackets
     */
    static HostPort of(String setting, String text) throws RelevoException {
        int colon = text.lastIndexOf(':');
        if (colon > 0) {
            try {
                int port = Integer.parseInt(text.substring(colon + 1));
                if (port > 0 && port < 65_536) {
                    return new HostPort(text.substring(0, colon), port);
                }
            } catch (NumberFormatException e) {
                // Told below.
            }
        }
        throw new RelevoException(setting + " " + text + ": not of the form host:port; correct " + setting + " on the Cluster");
    }

    /** As {@link #of} reads it. */
    static String text(InetAddress address, int port) {
        String host = address.getHostAddress();
        return (address instanceof Inet6Address ? "[" + host + "]" : host) + ":" + port;
    }
}
