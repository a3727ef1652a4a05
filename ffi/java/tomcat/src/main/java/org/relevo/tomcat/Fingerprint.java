package org.relevo.tomcat;

import java.util.Arrays;
import java.util.zip.CRC32C;

/** Tells whether bytes are those of before, without keeping them: 64 bits of two unlike checksums. */
final class Fingerprint {

    private Fingerprint() {
    }

    static long of(byte[] bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, 0, bytes.length);
        return crc.getValue() << 32 | Arrays.hashCode(bytes) & 0xffff_ffffL;
    }
}
