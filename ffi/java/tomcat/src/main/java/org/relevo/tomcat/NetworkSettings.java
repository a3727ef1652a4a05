package org.relevo.tomcat;

import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;

import org.relevo.NodeOptions;
import org.relevo.RelevoException;

/**
 * Where a node listens and how it finds the others. As it is written, since a setting is judged where it can be told in one
 * line; null is unset. Names and defaults are Tomcat's.
 */
final class NetworkSettings {

    private static final String NO_MULTICAST = "none";
    private static final String PORT = "4000";
    private static final String AUTO_BIND = "100";

    String address;
    String port;
    String autoBind;
    String multicast;
    String bind;
    String ttl;
    String frequency;
    String dropTime;
    final List<String> seeds = new ArrayList<>();

    /** These settings, with those of {@code others} where these are unset; the seeds are those of both. */
    NetworkSettings orElse(NetworkSettings others) {
        NetworkSettings both = new NetworkSettings();
        both.address = either(address, others.address);
        both.port = either(port, others.port);
        both.autoBind = either(autoBind, others.autoBind);
        both.multicast = either(multicast, others.multicast);
        both.bind = either(bind, others.bind);
        both.ttl = either(ttl, others.ttl);
        both.frequency = either(frequency, others.frequency);
        both.dropTime = either(dropTime, others.dropTime);
        both.seeds.addAll(others.seeds);
        both.seeds.addAll(seeds);
        return both;
    }

    private static String either(String first, String second) {
        return first == null ? second : first;
    }

    void noMulticast() {
        multicast = NO_MULTICAST;
    }

    /** Adds the settings to {@code options}; what isn't set keeps the node's own default. */
    void apply(NodeOptions options) throws RelevoException {
        if (NO_MULTICAST.equals(multicast)) {
            options.noMulticast();
        } else if (multicast != null) {
            HostPort group = HostPort.of("multicast", multicast);
            options.multicast(ReceiverAddress.named("multicast", group.host), group.port);
        }
        if (frequency != null) {
            options.frequency(Setting.number("frequency", frequency, Integer.MAX_VALUE));
        }
        if (dropTime != null) {
            options.dropTime(Setting.number("dropTime", dropTime, Integer.MAX_VALUE));
        }
        if (ttl != null) {
            options.ttl((int) Setting.number("ttl", ttl, 255));
        }
        InetAddress network = bind == null ? null : ReceiverAddress.named("bind", bind);
        if (network != null) {
            options.bind(network);
        }
        applyAddress(network, options);
        for (String list : seeds) {
            Seeds.add(list, options);
        }
    }

    private void applyAddress(InetAddress network, NodeOptions options) throws RelevoException {
        int first = (int) Setting.number("port", either(port, PORT), 65_535);
        int ports = (int) Setting.number("autoBind", either(autoBind, AUTO_BIND), 65_535);
        // Tomcat counts ports to try, the node those above the first.
        options.address(ReceiverAddress.of(either(address, ReceiverAddress.AUTO), network), first, Math.max(ports - 1, 0));
    }
}
