package org.relevo.tomcat;

import java.net.InetAddress;
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
import org.apache.catalina.tribes.membership.StaticMembershipService;
import org.apache.catalina.tribes.transport.ReceiverBase;
import org.relevo.NodeOptions;
import org.relevo.RelevoException;

/**
 * Reads the settings of a Tribes channel, which Tomcat's digester makes of server.xml and which is never started.
 */
final class ChannelSettings {

    /** What a Relevo node does anyway. */
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

    /** Adds what the channel says to {@code options}; answers what it says in vain. */
    List<String> apply(NodeOptions options) throws RelevoException {
        MembershipService membership = channel.getMembershipService();
        InetAddress bind = applyMembership(membership, options);
        applyReceiver(channel.getChannelReceiver(), bind, options);
        for (Iterator<ChannelInterceptor> each = channel.getInterceptors(); each.hasNext();) {
            applyInterceptor(each.next(), options);
        }
        return notServed;
    }

    private InetAddress applyMembership(MembershipService membership, NodeOptions options) throws RelevoException {
        if (membership instanceof McastService && discovers) {
            return applyMulticast((McastService) membership, options);
        }
        options.noMulticast();
        if (membership instanceof StaticMembershipService) {
            addSeeds(((StaticMembershipService) membership).getStaticMembers(), options);
        } else if (!(membership instanceof McastService)) {
            notServed.add("Membership " + membership.getClass().getName() + ": name other nodes with seeds=\"host:port\" "
                    + "on the Cluster");
        }
        return null;
    }

    private static InetAddress applyMulticast(McastService membership, NodeOptions options) throws RelevoException {
        options.multicast(ReceiverAddress.named("Membership address", membership.getAddress()), membership.getPort());
        options.frequency(membership.getFrequency()).dropTime(membership.getDropTime());
        // The getter says 0 for "not set", which would mean that nothing leaves this machine.
        if (membership.getProperties().getProperty("mcastTTL") != null) {
            options.ttl(membership.getTtl());
        }
        if (membership.getBind() == null) {
            return null;
        }
        InetAddress bind = ReceiverAddress.named("Membership bind", membership.getBind());
        options.bind(bind);
        return bind;
    }

    private static void applyReceiver(ChannelReceiver receiver, InetAddress bind, NodeOptions options)
            throws RelevoException {
        int autoBind = receiver instanceof ReceiverBase ? ((ReceiverBase) receiver).getAutoBind() : 1;
        // Tomcat counts ports to try, the node those above the first.
        options.address(ReceiverAddress.of(receiver, bind), receiver.getPort(), Math.max(autoBind - 1, 0));
    }

    private void applyInterceptor(ChannelInterceptor interceptor, NodeOptions options) throws RelevoException {
        if (interceptor instanceof StaticMembershipInterceptor) {
            // Its own list; what the next interceptors know is theirs.
            addSeeds(Arrays.asList(interceptor.getMembers()), options);
        }
        if (interceptor instanceof EncryptInterceptor) {
            notServed.add("Interceptor EncryptInterceptor: the cluster key seals everything instead");
        } else if (!NOT_NEEDED.contains(interceptor.getClass())) {
            notServed.add("Interceptor " + interceptor.getClass().getName());
        }
    }

    private static void addSeeds(List<? extends Member> members, NodeOptions options) throws RelevoException {
        for (Member member : members) {
            Seeds.add(member, options);
        }
    }
}
