package org.relevo.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.List;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.relevo.Node;
import org.relevo.NodeOptions;
import org.relevo.RelevoException;

class ClusterKeyTest {

    @TempDir
    Path base;

    private Path file;

    @BeforeEach
    void makeConf() throws IOException {
        Files.createDirectory(base.resolve("conf"));
        file = base.resolve("conf").resolve("relevo.key");
    }

    private List<String> options(String named, String keys) throws RelevoException {
        NodeOptions options = new NodeOptions();
        new ClusterKey(base, named, keys).apply(options);
        return options.lines();
    }

    @Test
    void theFileIsInConfUnlessTheEnvironmentNamesAnother() throws Exception {
        assertEquals(List.of(), options(null, null));
        assertEquals(List.of(), options("", null));
        Files.writeString(file, "any");
        assertEquals(List.of("keyFile=" + file), options(null, null));
        Path other = Files.writeString(base.resolve("other"), "any");
        assertEquals(List.of("keyFile=" + other), options(other.toString(), null));
    }

    @Test
    void aNamedFileMustBeThere() {
        String other = base.resolve("other").toString();
        String message = assertThrows(RelevoException.class, () -> options(other, null)).getMessage();
        assertTrue(message.startsWith("key file " + other + ": there is none; correct RELEVO_KEY_FILE"), message);
    }

    @Test
    void keysInTwoPlacesAreRefused() throws Exception {
        assertEquals(List.of(), options(null, "digits"));
        Files.writeString(file, "any");
        String message = assertThrows(RelevoException.class, () -> options(null, "digits")).getMessage();
        assertTrue(message.contains("RELEVO_KEY") && message.contains("leave one of them out"), message);
    }

    @Test
    void aChangedFileIsReadAgainOnce() throws Exception {
        try (Node node = new FakeNetwork().open("one")) {
            ClusterKey none = new ClusterKey(base, null, null);
            none.apply(new NodeOptions());
            assertNull(none.reload(node));
            Files.writeString(file, "any");
            ClusterKey key = new ClusterKey(base, null, null);
            key.apply(new NodeOptions());
            assertNull(key.reload(node));
            Files.setLastModifiedTime(file, FileTime.fromMillis(1_000));
            assertFalse(key.reload(node).isEmpty());
            assertNull(key.reload(node));
            Files.delete(file);
            assertNull(key.reload(node), "it keeps what it has");
        }
    }
}
