import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import org.relevo.Ack;
import org.relevo.Changes;
import org.relevo.Confirmed;
import org.relevo.Contents;
import org.relevo.NativeNode;
import org.relevo.Node;
import org.relevo.NodeOptions;
import org.relevo.SessionKey;

/**
 * Two nodes in one process: a session is written at one, which dies, and goes on at the other.
 *
 * <pre>java -cp "$(ffi/java/build)" ffi/java/examples/TwoNodes.java</pre>
 */
class TwoNodes {

    public static void main(String[] arguments) throws Exception {
        InetAddress here = InetAddress.getLoopbackAddress();
        Node tomcat1 = NativeNode.open(options("tomcat1"));
        int port = Integer.parseInt(tomcat1.address().split(":")[1]);
        try (Node tomcat2 = NativeNode.open(options("tomcat2").seed(here, port))) {
            awaitMember(tomcat1, "tomcat2");

            // A request at tomcat1 changes two attributes. The commit waits for the copy at tomcat2.
            SessionKey session = new SessionKey("localhost#/shop", "6B94D0F2");
            Changes changes = new Changes().put("user", bytes("minji")).put("cart", bytes("3 apples"));
            Confirmed confirmed = tomcat1.commit(session, changes, 1_800, Ack.ALL);
            System.out.println("tomcat1 is the primary, copies: " + confirmed.copies());

            // A node that is closed without leave() is, to the others, a crash.
            tomcat1.close();

            // The client's next request arrives at tomcat2. Its session id ends in the old route, which is the hint.
            Contents found = tomcat2.fetch(session, "tomcat1");
            if (found == null) {
                throw new IllegalStateException("the session is lost");
            }
            String cart = new String(found.attributes().get("cart"), StandardCharsets.UTF_8);
            System.out.println("tomcat2 is the primary, cart: " + cart);
            tomcat2.leave(1_000);
        }
    }

    /** On any free port of this machine, without a key and without multicast. */
    private static NodeOptions options(String name) {
        return new NodeOptions().name(name).memory(8 << 20).sessions(1_024).noMulticast()
                .address(InetAddress.getLoopbackAddress(), 0, 0);
    }

    /** Waits until the member is alive, at most for a minute. */
    private static void awaitMember(Node node, String name) throws Exception {
        long end = System.nanoTime() + 60_000_000_000L;
        while (node.members().stream().noneMatch(line -> line.startsWith(name + " ") && line.contains("Alive"))) {
            if (System.nanoTime() > end) {
                throw new IllegalStateException(name + " didn't join within a minute");
            }
            Thread.sleep(20);
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
