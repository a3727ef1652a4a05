package org.relevo.tomcat;

import java.net.InetAddress;
import java.net.UnknownHostException;

import org.apache.catalina.tribes.Member;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import org.relevo.NodeOptions;
import org.relevo.RelevoException;

/** Other nodes named by the administrator: {@code host:port,host:port}. */
final class Seeds {

    private static final Log log = LogFactory.getLog(Seeds.class);

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
            add(seed, seed.substring(0, colon), port(seed, seed.substring(colon + 1)), options);
        }
    }

    /** A name that nobody knows now is no reason to go without the others. */
    private static void add(String seed, String host, int port, NodeOptions options) {
        try {
            options.seed(InetAddress.getByName(host), port);
        } catch (UnknownHostException e) {
            log.warn("Relevo: seed " + seed + ": unknown host, not asked; correct seeds on the Cluster, or start again "
                    + "when the name is known");
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
