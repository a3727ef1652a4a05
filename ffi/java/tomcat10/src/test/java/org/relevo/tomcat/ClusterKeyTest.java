package org.relevo.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.relevo.RelevoException;

class ClusterKeyTest {

    @TempDir
    Path base;

    private Path file;

    @BeforeEach
    void makeConf() throws IOException {
        Files.createDirectory(base.resolve("conf"));
        file = ClusterKey.file(base);
    }

    private void write(String text, String permissions) throws IOException {
        Files.writeString(file, text);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(permissions));
    }

    private String failure(String named) {
        return assertThrows(RelevoException.class, () -> ClusterKey.read(base, named)).getMessage();
    }

    @Test
    void digitsOfEitherCaseAreAKey() throws Exception {
        write("0aFF" + "00".repeat(30) + "\n", "rw-r-----");
        byte[] key = ClusterKey.read(base, null);
        assertEquals(32, key.length);
        assertEquals(0x0a, key[0]);
        assertEquals((byte) 0xff, key[1]);
    }

    @Test
    void noFileIsNoKey() throws Exception {
        assertNull(ClusterKey.read(base, null));
        assertNull(ClusterKey.read(base, ""));
    }

    @Test
    void aNamedFileMustBeThere() {
        String message = failure(base.resolve("other").toString());
        assertTrue(message.startsWith("key file " + base.resolve("other") + ": there is none; correct RELEVO_KEY_FILE"),
                message);
    }

    @Test
    void aWrongLengthNamesFileAndCure() throws Exception {
        write("00".repeat(31) + "0\n", "rw-------");
        assertEquals("key file " + file + ": has 63 characters instead of 64 hexadecimal digits; write one with "
                + "`relevo keygen " + file + "` and copy it to every node", failure(null));
        write("zz".repeat(32), "rw-------");
        assertTrue(failure(null).contains("has 64 characters instead of 64 hexadecimal digits"));
    }

    @Test
    void othersMayNotRead() throws Exception {
        write("00".repeat(32), "rw-r--r--");
        assertEquals("key file " + file + ": its permissions rw-r--r-- let others in; `chmod 600 " + file + "`",
                failure(null));
    }
}
