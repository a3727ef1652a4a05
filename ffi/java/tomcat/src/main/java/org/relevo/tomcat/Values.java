package org.relevo.tomcat;

import java.util.ConcurrentModificationException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import org.relevo.Changes;
import org.relevo.tomcat.AttributeCodec.RefusedException;
import org.relevo.tomcat.AttributeCodec.UnreadableException;

/**
 * Turns the values of an application's sessions into bytes and back. What can't be, costs one attribute, and one line that
 * names it, its size or class, and the cure.
 */
final class Values {

    private static final Log log = LogFactory.getLog(RelevoManager.class);

    /** Different lines about attributes that can't be replicated or read. */
    private static final int SAID_MOST = 100;

    private final AttributeCodec codec;
    private final int maxValue;
    private final Set<String> said = ConcurrentHashMap.newKeySet();
    private final AtomicLong dropped = new AtomicLong();
    private final AtomicLong refused = new AtomicLong();
    private final AtomicLong leftOut = new AtomicLong();

    Values(AttributeCodec codec, int maxValue) {
        this.codec = codec;
        this.maxValue = maxValue;
    }

    long dropped() {
        return dropped.get();
    }

    long refused() {
        return refused.get();
    }

    long leftOut() {
        return leftOut.get();
    }

    /** The bytes of a value; those of a {@link LeftOut} marker, with a warning, if it can't travel. */
    byte[] write(RelevoSession session, String full, Object value) {
        if (!Changes.isName(full)) {
            return leaveOut(session, full, "its name is longer than " + (Changes.MAX_NAME - 2)
                    + " bytes; give it a shorter one");
        }
        try {
            byte[] bytes = codec.write(value, type -> willBeRefused(session, full, type));
            return bytes.length <= maxValue ? bytes : leaveOut(session, full, bytes.length + " bytes are more than maxValue ("
                    + maxValue + "); keep less in it, or raise maxValue, and memory if need be, on the Cluster of every node");
        } catch (ConcurrentModificationException e) {
            throw e;
        } catch (Throwable e) {
            throwIfFatal(e);
            return leaveOut(session, full, "class " + value.getClass().getName() + ": " + e);
        }
    }

    /** A session with all its values is too large to be sent. */
    byte[] leaveOutForSize(RelevoSession session, String full) {
        return leaveOut(session, full, "with it, the session is larger than an eighth of the nodes' memory, or than 4 MiB; keep "
                + "less in the session, or raise memory on the Cluster of every node");
    }

    private byte[] leaveOut(RelevoSession session, String full, String why) {
        leftOut.incrementAndGet();
        session.shipped().lacksOthers(full);
        sayOnce(session, SessionState.describe(full) + " is not replicated: " + why);
        return LeftOut.marker();
    }

    private void willBeRefused(RelevoSession session, String full, Class<?> type) {
        session.shipped().lacksOthers(full);
        sayOnce(session, SessionState.describe(full) + " will be refused by other nodes: class " + type.getName()
                + codec.cure(type));
    }

    /** The value of these bytes; null, with a warning, if there is none to be had here. */
    Object read(RelevoSession session, String full, byte[] bytes) {
        if (LeftOut.isMarker(bytes)) {
            return null; // told where it was set
        }
        try {
            return codec.read(bytes);
        } catch (RefusedException e) {
            refused.incrementAndGet();
            sayOnce(session, SessionState.describe(full) + " is refused here: " + e.getMessage());
        } catch (UnreadableException e) {
            dropped.incrementAndGet();
            sayOnce(session, SessionState.describe(full) + " is dropped here: " + e.getMessage());
        } catch (Throwable e) {
            throwIfFatal(e);
            dropped.incrementAndGet();
            sayOnce(session, SessionState.describe(full) + " is dropped here: " + e);
        }
        return null;
    }

    /** Deep or large values end in these two errors, and leave the virtual machine as it was. */
    static void throwIfFatal(Throwable e) {
        if (e instanceof VirtualMachineError && !(e instanceof StackOverflowError) && !(e instanceof OutOfMemoryError)) {
            throw (VirtualMachineError) e;
        }
    }

    /** Says once what would be said after every request; sizes and the like don't make it another line. */
    private void sayOnce(RelevoSession session, String line) {
        if (said.size() < SAID_MOST && said.add(line.replaceAll("[0-9]+ bytes", ""))) {
            log.warn("Relevo: session " + session.key() + ": " + line);
        } else {
            log.debug("session " + session.key() + ": " + line);
        }
    }
}
