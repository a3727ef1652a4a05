package org.relevo.tomcat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.Set;

import org.relevo.RelevoException;

/** The cluster key: 64 hexadecimal digits in a file that only Tomcat's user (and its group) can read. */
final class ClusterKey {

    /** Environment variable that names the file. */
    static final String VARIABLE = "RELEVO_KEY_FILE";

    private static final int DIGITS = 64;

    private static final Set<PosixFilePermission> FORBIDDEN = EnumSet.of(PosixFilePermission.GROUP_WRITE,
            PosixFilePermission.OTHERS_READ, PosixFilePermission.OTHERS_WRITE, PosixFilePermission.OTHERS_EXECUTE);

    private ClusterKey() {
    }

    /** Where the key of a Tomcat is unless the environment says otherwise. */
    static Path file(Path catalinaBase) {
        return catalinaBase.resolve("conf").resolve("relevo.key");
    }

    /**
     * @param catalinaBase of this Tomcat
     * @param named the file that the environment names; null: {@code conf/relevo.key}, if there is one
     * @return the key of 32 bytes, or null if there is no file
     * @throws RelevoException if the file isn't what it should be; names file and cure
     */
    static byte[] read(Path catalinaBase, String named) throws RelevoException {
        Path file = named == null || named.isEmpty() ? file(catalinaBase) : Path.of(named);
        try {
            checkPermissions(file);
            return decode(file, Files.readString(file, StandardCharsets.ISO_8859_1).strip());
        } catch (NoSuchFileException e) {
            if (named == null || named.isEmpty()) {
                return null;
            }
            throw unreadable(file, "there is none; correct " + VARIABLE + " or " + cure(file));
        } catch (IOException e) {
            throw unreadable(file, "can't be read: " + e + "; give it to the user that runs Tomcat, or " + cure(file));
        }
    }

    /** The command that makes a key. */
    static String cure(Path file) {
        return "write one with `relevo keygen " + file + "` and copy it to every node";
    }

    private static byte[] decode(Path file, String digits) throws RelevoException {
        if (digits.length() != DIGITS || !digits.chars().allMatch(c -> c < 128 && Character.digit(c, 16) >= 0)) {
            throw unreadable(file, "has " + digits.length() + " characters instead of " + DIGITS
                    + " hexadecimal digits; " + cure(file));
        }
        byte[] key = new byte[DIGITS / 2];
        for (int i = 0; i < key.length; i++) {
            key[i] = (byte) Integer.parseInt(digits.substring(2 * i, 2 * i + 2), 16);
        }
        return key;
    }

    private static void checkPermissions(Path file) throws IOException, RelevoException {
        Set<PosixFilePermission> permissions;
        try {
            permissions = Files.getPosixFilePermissions(file);
        } catch (UnsupportedOperationException e) {
            return;
        }
        if (permissions.stream().anyMatch(FORBIDDEN::contains)) {
            throw unreadable(file, "its permissions " + PosixFilePermissions.toString(permissions)
                    + " let others in; `chmod 600 " + file + "`");
        }
    }

    private static RelevoException unreadable(Path file, String why) {
        return new RelevoException("key file " + file + ": " + why);
    }
}
