import java.net.InetAddress;
import java.util.Arrays;

import org.relevo.Ack;
import org.relevo.Changes;
import org.relevo.NativeNode;
import org.relevo.NodeOptions;
import org.relevo.SessionKey;

/** Measures the same as request.c, through Java: commits that change a value, in turns with and without a key. */
public class Request {

    private static final int ROUNDS = 41;
    private static final int COMMITS = 500;
    private static final SessionKey KEY = new SessionKey("localhost#/shop", "A1");

    public static void main(String[] arguments) throws Exception {
        byte[] value = new byte[Integer.parseInt(arguments[0])];
        try (NativeNode plain = open("a", null, 0); NativeNode second = open("b", null, port(plain));
                NativeNode sealed = open("a", new byte[32], 0); NativeNode fourth = open("b", new byte[32], port(sealed))) {
            long[][] nanos = new long[2][ROUNDS];
            for (int round = -10; round < ROUNDS; round++) {
                for (int kind = 0; kind < 2; kind++) {
                    long began = System.nanoTime();
                    for (int i = 0; i < COMMITS; i++) {
                        commit(kind == 0 ? plain : sealed, value);
                    }
                    nanos[kind][Math.max(round, 0)] = System.nanoTime() - began;
                }
            }
            for (int kind = 0; kind < 2; kind++) {
                Arrays.sort(nanos[kind]);
                System.out.printf("%s, %d bytes, Java: %.1f us a commit%n", kind == 0 ? "plain" : "sealed", value.length,
                        nanos[kind][0] / 1e3 / COMMITS);
            }
        }
    }

    private static void commit(NativeNode node, byte[] value) throws Exception {
        for (int i = 0; ++value[i] == 0; i++) {
            // Carry to the next byte.
        }
        while (node.commit(KEY, new Changes().put("a:cart", value), 1800, Ack.ALL).copies() < 2) {
            // The other node isn't a member yet.
        }
    }

    private static NativeNode open(String name, byte[] key, int seed) throws Exception {
        NodeOptions options = new NodeOptions().cluster("bench").name(name).memory(4 << 20).sessions(256).noMulticast()
                .address(InetAddress.getLoopbackAddress(), 0, 0);
        if (key != null) {
            options.key(key);
        }
        return NativeNode.open(seed == 0 ? options : options.seed(InetAddress.getLoopbackAddress(), seed));
    }

    private static int port(NativeNode node) throws Exception {
        return Integer.parseInt(node.address().substring(node.address().lastIndexOf(':') + 1));
    }
}
