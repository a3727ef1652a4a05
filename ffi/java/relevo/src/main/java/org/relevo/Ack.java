package org.relevo;

/** How many copies must be confirmed before a commit returns. */
public final class Ack {

    /** Return at once. */
    public static final Ack NONE = new Ack(0);

    /** Wait for all live holders. */
    public static final Ack ALL = new Ack(-1);

    private final int code;

    private Ack(int code) {
        this.code = code;
    }

    /**
     * @param copies 1 to 255, the primary's included
     * @return wait for so many
     */
    public static Ack copies(int copies) {
        return new Ack(checked(copies));
    }

    /**
     * @param copies 1 to 255, the primary's included
     * @return wait for so many, but refuse before writing if fewer live nodes could hold one
     */
    public static Ack atLeast(int copies) {
        return new Ack(256 + checked(copies));
    }

    int code() {
        return code;
    }

    private static int checked(int copies) {
        if (copies < 1 || copies > 255) {
            throw new IllegalArgumentException("copies: " + copies + ", from 1 to 255");
        }
        return copies;
    }
}
