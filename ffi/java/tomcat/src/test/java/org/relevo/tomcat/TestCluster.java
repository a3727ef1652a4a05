package org.relevo.tomcat;

import org.apache.catalina.tribes.group.GroupChannel;
import org.apache.catalina.tribes.transport.ReceiverBase;
import org.relevo.Node;
import org.relevo.NodeOptions;
import org.relevo.RelevoException;

/** A cluster element whose node is a fake one, or fails to open. */
public class TestCluster extends RelevoCluster {

    static final FakeNetwork DEFAULT = new FakeNetwork();

    private final FakeNetwork network;
    private final String nodeName;
    String failure;
    NodeOptions options;
    FakeNetwork.FakeNode node;

    /** For the digester. */
    public TestCluster() {
        this(DEFAULT, "digested");
    }

    TestCluster(FakeNetwork network, String nodeName) {
        this.network = network;
        this.nodeName = nodeName;
        ((ReceiverBase) ((GroupChannel) getChannel()).getChannelReceiver()).setAddress("127.0.0.1");
    }

    @Override
    protected Node open(NodeOptions options) throws RelevoException {
        this.options = options;
        if (failure != null) {
            throw new RelevoException(failure);
        }
        node = (FakeNetwork.FakeNode) network.open(nodeName);
        return node;
    }
}
