package org.relevo;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * The options of a node. Names and defaults are Tomcat's where Tomcat has them; an option that isn't set keeps the node's
 * own default. Not thread-safe.
 */
public final class NodeOptions {

    private final List<String> lines = new ArrayList<>();
    private boolean sealed;
    private boolean loopback = true;
    private boolean insecure;

    /** @return this, with the cluster's name: nodes of other names are refused */
    public NodeOptions cluster(String name) {
        return set("cluster", name);
    }

    /** @return this, with the node's name, unique in the cluster; a Tomcat uses its jvmRoute */
    public NodeOptions name(String name) {
        return set("name", name);
    }

    /**
     * @param address to bind and announce
     * @param port the first port to try
     * @param autoBind how many ports above {@code port} to try if it is taken
     * @return this
     */
    public NodeOptions address(InetAddress address, int port, int autoBind) {
        loopback = address.isLoopbackAddress();
        return set("address", socket(address, port)).set("autoBind", autoBind);
    }

    /**
     * @param group of discovery
     * @param port of discovery
     * @return this
     */
    public NodeOptions multicast(InetAddress group, int port) {
        return set("multicast", socket(group, port));
    }

    /** @return this, discovering through seeds alone */
    public NodeOptions noMulticast() {
        return set("multicast", "none");
    }

    /** @return this, with the address of the interface that multicast uses */
    public NodeOptions bind(InetAddress address) {
        return set("bind", address.getHostAddress());
    }

    /** @return this, with the hops that multicast may travel */
    public NodeOptions ttl(int hops) {
        return set("ttl", hops);
    }

    /** @return this, with one more address to contact until a member answers there */
    public NodeOptions seed(InetAddress address, int port) {
        return set("seed", socket(address, port));
    }

    /** @return this, with the probe period in milliseconds */
    public NodeOptions frequency(long millis) {
        return set("frequency", millis);
    }

    /** @return this, with the milliseconds from a crash to the member's removal */
    public NodeOptions dropTime(long millis) {
        return set("dropTime", millis);
    }

    /** @return this, with the milliseconds that a commit or a rename waits for copies */
    public NodeOptions ackTimeout(long millis) {
        return set("ackTimeout", millis);
    }

    /** @return this, with the milliseconds that a fetch or an invalidation waits for other nodes */
    public NodeOptions fetchTimeout(long millis) {
        return set("fetchTimeout", millis);
    }

    /** @return this, with the copies to keep beside the primary's own, 0 to 7 */
    public NodeOptions backups(int copies) {
        return set("backups", copies);
    }

    /** @return this, with the bytes for sessions */
    public NodeOptions memory(long bytes) {
        return set("memory", bytes);
    }

    /** @return this, with the largest value of an attribute in bytes */
    public NodeOptions maxValue(long bytes) {
        return set("maxValue", bytes);
    }

    /**
     * @param millis for which commits gather that wait for no copy, while others are on their way; 0: each is sent at once
     * @return this
     */
    public NodeOptions groupMillis(int millis) {
        return set("groupMillis", millis);
    }

    /** @return this, with the sessions that the node may hold */
    public NodeOptions sessions(int most) {
        return set("sessions", most);
    }

    /** @return this, with the file that has the cluster's keys, as {@code relevo keygen} writes it */
    public NodeOptions keyFile(Path file) {
        sealed = true;
        return set("keyFile", file);
    }

    /** @return this, with the keys of the environment variable {@code RELEVO_KEY} */
    public NodeOptions keysOfEnvironment() {
        sealed = true;
        return this;
    }

    /** @return this, allowing (or not) an address other than loopback without a key */
    public NodeOptions insecure(boolean allowed) {
        insecure = allowed;
        return set("insecure", allowed);
    }

    /** @return whether these options would let anybody on the network read and change sessions without saying so */
    public boolean isOpenToAnybody() {
        return !sealed && !loopback && !insecure;
    }

    /** @return the options as {@code name=value} */
    public List<String> lines() {
        return Collections.unmodifiableList(lines);
    }

    /** The options as {@code name=value}. */
    @Override
    public String toString() {
        return String.join(" ", lines) + (sealed ? " with key" : " without key");
    }

    private NodeOptions set(String name, Object value) {
        if (String.valueOf(value).indexOf('\n') >= 0) {
            throw new IllegalArgumentException(name + ": has a line break");
        }
        lines.add(name + "=" + value);
        return this;
    }

    private static String socket(InetAddress address, int port) {
        String host = address.getHostAddress();
        return (address instanceof Inet6Address ? "[" + host + "]" : host) + ":" + port;
    }
}
