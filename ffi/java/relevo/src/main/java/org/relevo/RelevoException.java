package org.relevo;

/** Why a node could not do what was asked; the message names what was wrong, where, and what to do. */
public class RelevoException extends Exception {

    private static final long serialVersionUID = 1L;

    /** @param message what was wrong, where, and what to do */
    public RelevoException(String message) {
        super(message);
    }

    /**
     * @param message what was wrong, where, and what to do
     * @param cause what led to it
     */
    public RelevoException(String message, Throwable cause) {
        super(message, cause);
    }
}
