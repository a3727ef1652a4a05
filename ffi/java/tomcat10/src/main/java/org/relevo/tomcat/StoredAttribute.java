package org.relevo.tomcat;

/** Stands in a session for a value that came as bytes and that no application has asked for yet. */
final class StoredAttribute {

    private final byte[] bytes;

    StoredAttribute(byte[] bytes) {
        this.bytes = bytes;
    }

    byte[] bytes() {
        return bytes;
    }
}
