package org.relevo.tomcat;

import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.util.Optional;

import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import org.relevo.RelevoException;

/**
 * The address to announce. Tomcat's {@code auto} is what the host's own name resolves to, which on Debian is 127.0.1.1:
 * stock Tomcat announces that silently, and nobody ever joins.
 */
final class ReceiverAddress {

    private static final Log log = LogFactory.getLog(ReceiverAddress.class);

    static final String AUTO = "auto";

    private ReceiverAddress() {
    }

    /**
     * @param configured an address, a host's name, or {@code auto}
     * @param bind the interface that the administrator named for multicast, or null
     * @return the address to bind and announce
     * @throws RelevoException if the configured one is unknown
     */
    static InetAddress of(String configured, InetAddress bind) throws RelevoException {
        if (!configured.equals(AUTO)) {
            return named("address", configured);
        }
        InetAddress own = ownAddress();
        if (!own.isLoopbackAddress()) {
            return own;
        }
        return bind != null ? bind : outside().orElseGet(() -> {
            log.warn("Relevo: address=\"auto\": this host has only its loopback address, so that no other can "
                    + "join; name an address");
            return own;
        });
    }

    /** Resolves what a setting names. */
    static InetAddress named(String setting, String host) throws RelevoException {
        try {
            return InetAddress.getByName(host);
        } catch (UnknownHostException e) {
            throw new RelevoException(setting + "=\"" + host + "\": unknown host; name an address of this machine", e);
        }
    }

    private static InetAddress ownAddress() {
        try {
            return InetAddress.getLocalHost();
        } catch (UnknownHostException e) {
            return InetAddress.getLoopbackAddress();
        }
    }

    /** The first address of this machine that others can reach; said aloud, because it is a guess. */
    private static Optional<InetAddress> outside() {
        try {
            Optional<InetAddress> found = NetworkInterface.networkInterfaces().filter(ReceiverAddress::isUp)
                    .flatMap(NetworkInterface::inetAddresses)
                    .filter(address -> address instanceof Inet4Address && !address.isLoopbackAddress()).findFirst();
            found.ifPresent(address -> log.warn("Relevo: address=\"auto\": this host's name resolves to a "
                    + "loopback address, using " + address.getHostAddress() + "; name an address to choose"));
            return found;
        } catch (SocketException e) {
            return Optional.empty();
        }
    }

    private static boolean isUp(NetworkInterface network) {
        try {
            return network.isUp();
        } catch (IOException e) {
            return false;
        }
    }
}
