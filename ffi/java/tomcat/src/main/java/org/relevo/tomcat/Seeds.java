package org.relevo.tomcat;

import java.net.InetAddress;
import java.net.UnknownHostException;

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
        if (list.isBlank()) {
            return;
        }
        for (String seed : list.split("[,\\s]+")) {
            add(seed, HostPort.of("seeds", seed), options);
        }
    }

    /** A name that nobody knows now is no reason to go without the others. */
    private static void add(String seed, HostPort where, NodeOptions options) {
        try {
            options.seed(InetAddress.getByName(where.host), where.port);
        } catch (UnknownHostException e) {
            log.warn("Relevo: seed " + seed + ": unknown host, not asked; correct seeds on the Cluster, or start again "
                    + "when the name is known");
        }
    }
}
