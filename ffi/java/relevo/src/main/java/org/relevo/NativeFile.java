package org.relevo;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Set;

/** The native library as a file: unpacked once, and again only if it isn't what it should be. */
final class NativeFile {

    private static final Set<PosixFilePermission> PRIVATE = PosixFilePermissions.fromString("rwx------");

    private NativeFile() {
    }

    /** The file {@code name} with these contents in a directory that only this user can change. */
    static Path unpack(Path directory, String name, byte[] contents) throws IOException {
        makePrivate(directory);
        Path file = directory.resolve(name);
        Path fresh = Files.createTempFile(directory, name, ".new");
        try {
            checkOwner(directory, fresh);
            if (!holds(file, contents)) {
                Files.write(fresh, contents);
                // Another virtual machine may do the same: each moves a whole file, and they are equal.
                Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
            }
        } finally {
            Files.deleteIfExists(fresh);
        }
        return file;
    }

    /** Names a library by its contents, so that versions and builds live side by side. */
    static String digest(byte[] contents) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(contents);
            StringBuilder digits = new StringBuilder();
            for (int i = 0; i < 8; i++) {
                digits.append(String.format("%02x", hash[i]));
            }
            return digits.toString();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    private static void makePrivate(Path directory) throws IOException {
        try {
            Files.createDirectories(directory.getParent());
            Files.createDirectory(directory, PosixFilePermissions.asFileAttribute(PRIVATE));
        } catch (FileAlreadyExistsException e) {
            Set<PosixFilePermission> permissions =
                    Files.getPosixFilePermissions(directory, LinkOption.NOFOLLOW_LINKS);
            if (permissions.contains(PosixFilePermission.GROUP_WRITE)
                    || permissions.contains(PosixFilePermission.OTHERS_WRITE)) {
                throw new FileSystemException(directory.toString(), null, "others may write there");
            }
        }
    }

    /** Somebody else's directory may be writable too, for root: its owner could swap the library. */
    private static void checkOwner(Path directory, Path own) throws IOException {
        if (!Files.getOwner(directory, LinkOption.NOFOLLOW_LINKS).equals(Files.getOwner(own))) {
            throw new FileSystemException(directory.toString(), null, "belongs to another user");
        }
    }

    private static boolean holds(Path file, byte[] contents) throws IOException {
        return Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) && Files.size(file) == contents.length
                && Arrays.equals(Files.readAllBytes(file), contents);
    }
}
