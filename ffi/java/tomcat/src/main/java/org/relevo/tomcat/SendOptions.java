package org.relevo.tomcat;

/** The numbers and names of Tomcat's {@code channelSendOptions}, of which Tomcat 8.5 knows the numbers alone. */
final class SendOptions {

    static final int USE_ACK = 2;
    static final int SYNCHRONIZED_ACK = 4;
    static final int ASYNCHRONOUS = 8;

    private SendOptions() {
    }

    /**
     * @param text a number, or names with commas between
     * @return the sum of Tomcat's numbers
     * @throws IllegalArgumentException if it is neither
     */
    static int parse(String text) {
        try {
            return Integer.parseInt(text.strip());
        } catch (NumberFormatException e) {
            int sum = 0;
            for (String name : text.split(",")) {
                sum |= number(name.strip());
            }
            return sum;
        }
    }

    private static int number(String name) {
        switch (name) {
            case "byte_message":
            case "byte":
                return 1;
            case "use_ack":
                return USE_ACK;
            case "synchronized_ack":
            case "sync":
                return SYNCHRONIZED_ACK;
            case "asynchronous":
            case "async":
                return ASYNCHRONOUS;
            case "secure":
                return 16;
            case "udp":
                return 32;
            case "multicast":
                return 64;
            default:
                throw new IllegalArgumentException(name);
        }
    }

    /** Tomcat's asynchronous sending returns at once, whatever else is asked for. */
    static boolean waits(int options) {
        return (options & (USE_ACK | SYNCHRONIZED_ACK)) != 0 && (options & ASYNCHRONOUS) == 0;
    }
}
