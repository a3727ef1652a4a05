package org.relevo.tomcat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.List;

import org.relevo.Node;
import org.relevo.NodeOptions;
import org.relevo.RelevoException;

/** Where this Tomcat's keys are, and when to read them again. Only the native library ever sees what is in the file. */
final class ClusterKey {

    /** Environment variable that names the file. */
    static final String FILE_VARIABLE = "RELEVO_KEY_FILE";

    /** Environment variable that has keys. */
    static final String VARIABLE = "RELEVO_KEY";

    private final Path file;
    private final boolean named;
    private final boolean inEnvironment;
    private FileTime read;

    /**
     * @param catalinaBase of this Tomcat: {@code conf/relevo.key} is where the key is unless the environment says otherwise
     * @param named the file that the environment or the Cluster names, or null
     * @param keys what {@link #VARIABLE} has, or null
     */
    ClusterKey(Path catalinaBase, String named, String keys) {
        this.named = named != null && !named.isEmpty();
        this.file = this.named ? Path.of(named) : catalinaBase.resolve("conf").resolve("relevo.key");
        this.inEnvironment = keys != null;
    }

    /**
     * @param options that are to have the keys; none if there is no file
     * @throws RelevoException if there are keys in the environment too, or the file that is named isn't there
     */
    void apply(NodeOptions options) throws RelevoException {
        if (inEnvironment && (named || Files.exists(file))) {
            throw new RelevoException("there are keys in " + VARIABLE + " and in " + file + ": leave one of them out");
        }
        if (inEnvironment) {
            options.keysOfEnvironment();
        } else if (Files.exists(file)) {
            read = modified();
            options.keyFile(file);
        } else if (named) {
            throw new RelevoException("key file " + file + ": there is none; correct " + FILE_VARIABLE
                    + " or the Cluster's keyFile, or " + cure());
        }
    }

    /** The command that makes a key. */
    String cure() {
        return "write one with `relevo keygen " + file + "` and copy it to every node";
    }

    /**
     * Lets the node read the file again if it was changed since.
     *
     * @return what names the keys that the node has now, or null if nothing was changed
     * @throws RelevoException if the file can't be used; said once for each change of the file
     */
    List<String> reload(Node node) throws RelevoException {
        FileTime now = modified();
        if (read == null || now == null || now.equals(read)) {
            return null;
        }
        read = now;
        return node.reloadKeys();
    }

    private FileTime modified() {
        try {
            return Files.getLastModifiedTime(file);
        } catch (IOException e) {
            // Between two versions of it, or gone: the node keeps what it has.
            return null;
        }
    }
}
