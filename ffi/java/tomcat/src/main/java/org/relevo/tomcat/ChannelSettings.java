package org.relevo.tomcat;

import java.lang.reflect.Field;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Set;

import org.apache.catalina.tribes.Channel;
import org.apache.catalina.tribes.ChannelInterceptor;
import org.apache.catalina.tribes.ChannelReceiver;
import org.apache.catalina.tribes.ManagedChannel;
import org.apache.catalina.tribes.Member;
import org.apache.catalina.tribes.MembershipService;
import org.apache.catalina.tribes.group.interceptors.EncryptInterceptor;
import org.apache.catalina.tribes.group.interceptors.FragmentationInterceptor;
import org.apache.catalina.tribes.group.interceptors.MessageDispatchInterceptor;
import org.apache.catalina.tribes.group.interceptors.OrderInterceptor;
import org.apache.catalina.tribes.group.interceptors.StaticMembershipInterceptor;
import org.apache.catalina.tribes.group.interceptors.TcpFailureDetector;
import org.apache.catalina.tribes.group.interceptors.TcpPingInterceptor;
import org.apache.catalina.tribes.membership.McastService;
import org.apache.catalina.tribes.transport.ReceiverBase;
import org.relevo.RelevoException;

/**
 * Reads the settings of a Tribes channel, which Tomcat's digester makes of server.xml and which is never started.
 */
final class ChannelSettings {

    /** The parts of a channel whose work a Relevo node does by itself. */
    private static final Set<Class<?>> NOT_NEEDED = Set.of(TcpFailureDetector.class, MessageDispatchInterceptor.class,
            TcpPingInterceptor.class, OrderInterceptor.class, FragmentationInterceptor.class,
            StaticMembershipInterceptor.class);

    private final ManagedChannel channel;
    private final boolean discovers;
    private final List<String> notServed = new ArrayList<>();

    /**
     * @param channel of the cluster element
     * @param startOptions Tomcat's channelStartOptions
     */
    ChannelSettings(Channel channel, int startOptions) throws RelevoException {
        if (!(channel instanceof ManagedChannel)) {
            throw new RelevoException("Channel " + channel.getClass().getName()
                    + ": its settings can't be read; use org.apache.catalina.tribes.group.GroupChannel");
        }
        this.channel = (ManagedChannel) channel;
        this.discovers = (startOptions & (Channel.MBR_RX_SEQ | Channel.MBR_TX_SEQ)) != 0;
    }

    /** The settings of the channel that concern the network. */
    NetworkSettings network() {
        NetworkSettings network = new NetworkSettings();
        readMembership(channel.getMembershipService(), network);
        readReceiver(channel.getChannelReceiver(), network);
        for (Iterator<ChannelInterceptor> each = channel.getInterceptors(); each.hasNext();) {
            readInterceptor(each.next(), network);
        }
        return network;
    }

    /** The settings of the channel that Relevo ignores. */
    List<String> notServed() {
        return notServed;
    }

    private void readMembership(MembershipService membership, NetworkSettings network) {
        if (membership instanceof McastService && discovers) {
            readMulticast((McastService) membership, network);
            return;
        }
        network.noMulticast();
        // A StaticMembershipService, which Tomcat 8.5 hasn't got.
        Object members = Property.get(membership, "StaticMembers");
        if (members instanceof List) {
            addSeeds((List<?>) members, network);
        } else if (!(membership instanceof McastService)) {
            notServed.add("Membership " + membership.getClass().getName() + ": name other nodes with seeds=\"host:port\" "
                    + "on the Cluster");
        }
    }

    private static void readMulticast(McastService membership, NetworkSettings network) {
        network.multicast = membership.getAddress() + ":" + membership.getPort();
        network.frequency = String.valueOf(membership.getFrequency());
        network.dropTime = String.valueOf(membership.getDropTime());
        // The getter says 0 for "not set", which would mean that nothing leaves this machine.
        if (membership.getProperties().getProperty("mcastTTL") != null) {
            network.ttl = String.valueOf(membership.getTtl());
        }
        network.bind = membership.getBind();
    }

    private static void readReceiver(ChannelReceiver receiver, NetworkSettings network) {
        network.address = address(receiver);
        network.port = String.valueOf(receiver.getPort());
        network.autoBind = receiver instanceof ReceiverBase ? String.valueOf(((ReceiverBase) receiver).getAutoBind()) : "1";
    }

    /** The address as written in server.xml. The receiver's own getter would resolve {@code auto}, so that it can't be told apart. */
    private static String address(ChannelReceiver receiver) {
        try {
            Field host = ReceiverBase.class.getDeclaredField("host");
            host.setAccessible(true);
            return String.valueOf(host.get(receiver));
        } catch (ReflectiveOperationException | RuntimeException e) {
            return receiver.getHost();
        }
    }

    private void readInterceptor(ChannelInterceptor interceptor, NetworkSettings network) {
        if (interceptor instanceof StaticMembershipInterceptor) {
            // Its own list; what the next interceptors know is theirs.
            addSeeds(Arrays.asList(interceptor.getMembers()), network);
        }
        if (interceptor instanceof EncryptInterceptor) {
            notServed.add("Interceptor EncryptInterceptor: the cluster key seals everything instead");
        } else if (!NOT_NEEDED.contains(interceptor.getClass())) {
            notServed.add("Interceptor " + interceptor.getClass().getName());
        }
    }

    private void addSeeds(List<?> members, NetworkSettings network) {
        for (Object each : members) {
            Member member = (Member) each;
            try {
                // Tomcat has resolved it.
                network.seeds.add(HostPort.text(InetAddress.getByAddress(member.getHost()), member.getPort()));
            } catch (UnknownHostException e) {
                notServed.add("Member " + member.getName() + ": it has no address");
            }
        }
    }
}
