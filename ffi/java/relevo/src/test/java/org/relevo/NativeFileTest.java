package org.relevo;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeFileTest {

    private static final byte[] CONTENTS = { 1, 2, 3 };

    @TempDir
    Path parent;

    private static Object inode(Path file) throws IOException {
        return Files.readAttributes(file, BasicFileAttributes.class).fileKey();
    }

    @Test
    void anIdenticalFileIsUsedAgain() throws IOException {
        Path directory = parent.resolve("a/b");
        Path file = NativeFile.unpack(directory, "lib.so", CONTENTS);
        Object inode = inode(file);
        assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(directory)));
        assertEquals(inode, inode(NativeFile.unpack(directory, "lib.so", CONTENTS)));
        Files.write(file, new byte[] { 1, 2, 4 });
        NativeFile.unpack(directory, "lib.so", CONTENTS);
        assertArrayEquals(CONTENTS, Files.readAllBytes(file));
        assertNotEquals(inode, inode(file), "a library in use is not written over");
        try (var files = Files.list(directory)) {
            assertEquals(1, files.count(), "nothing is left behind");
        }
    }

    @Test
    void aDirectoryThatOthersWriteToIsRefused() throws IOException {
        Path directory = Files.createDirectory(parent.resolve("open"));
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxrwxrwx"));
        String message = assertThrows(IOException.class, () -> NativeFile.unpack(directory, "lib.so", CONTENTS))
                .getMessage();
        assertEquals(directory + ": others may write there", message);
    }

    @Test
    void aNameForEveryContents() {
        assertEquals(16, NativeFile.digest(CONTENTS).length());
        assertNotEquals(NativeFile.digest(CONTENTS), NativeFile.digest(new byte[0]));
    }
}
