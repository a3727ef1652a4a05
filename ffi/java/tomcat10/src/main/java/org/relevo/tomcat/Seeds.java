package org.relevo.tomcat;

import java.net.InetAddress;
import java.net.UnknownHostException;

import org.apache.catalina.tribes.Member;
import org.relevo.NodeOptions;
import org.relevo.RelevoException;

/** Other nodes named by the administrator: {@code host:port,host:port}. */
final class Seeds {

    private Seeds() {
    }

    static void add(String list, NodeOptions options) throws RelevoException {
        if (list == null || list.isBlank()) {
            return;
        }
        for (String seed : list.split("[,\\s]+")) {
            int colon = seed.lastIndexOf(':');
            if (colon < 1) {
                throw malformed(seed);
            }
            options.seed(resolve(seed, seed.substring(0, colon)), port(seed, seed.substring(colon + 1)));
        }
    }

    /** Adds a member of Tomcat's static membership, whose address Tomcat has resolved. */
    static void add(Member member, NodeOptions options) throws RelevoException {
        try {
            options.seed(InetAddress.getByAddress(member.getHost()), member.getPort());
        } catch (UnknownHostException e) {
            throw new RelevoException("static member " + member.getName() + ": has no address", e);
        }
    }

    private static InetAddress resolve(String seed, String host) throws RelevoException {
        try {
            return InetAddress.getByName(host);
        } catch (UnknownHostException e) {
            throw new RelevoException("seed " + seed + ": unknown host; correct seeds on the Cluster", e);
        }
    }

    private static int port(String seed, String digits) throws RelevoException {
        try {
            int port = Integer.parseInt(digits);
            if (port > 0 && port < 65_536) {
                return port;
            }
        } catch (NumberFormatException e) {
            // Told below.
        }
        throw malformed(seed);
    }

    private static RelevoException malformed(String seed) {
        return new RelevoException("seed " + seed + ": not of the form host:port; correct seeds on the Cluster");
    }
}
