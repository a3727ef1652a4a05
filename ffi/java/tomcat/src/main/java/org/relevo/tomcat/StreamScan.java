package org.relevo.tomcat;

import java.io.ObjectStreamConstants;
import java.io.StreamCorruptedException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

import org.relevo.tomcat.ReadingWork.TooMuchWorkException;

/**
 * Follows the grammar of a stream of objects (chapter 6 of Java's Object Serialization Specification) without loading a
 * class, to count the work that reading it would take. A stream that this class can't follow isn't read at all.
 */
final class StreamScan {

    /** Far above what the filter allows, and far below what a thread's stack has room for. */
    private static final int DEEPEST = 1_000;

    /** The number of classes in a stream that may leave their fields out; such classes are rare. */
    private static final int GUESSES_MOST = 64;

    /**
     * Values of the JDK that have no fields in a stream. They wouldn't read any, so a stream that gives them some could
     * hide the rest from this class.
     */
    private static final Set<String> WITHOUT_FIELDS = Set.of("java.util.Date",
            "javax.security.auth.x500.X500Principal", "javax.security.auth.kerberos.KerberosPrincipal");

    private static final String ODD = "no object stream that can be followed";

    private final ByteBuffer in;
    private final ReadingWork work;

    /** The entries that have a number in the stream: descriptions and objects. */
    private final List<Object> numbered = new ArrayList<>();

    private int depth;
    private int guesses;

    private StreamScan(byte[] bytes) {
        in = ByteBuffer.wrap(bytes);
        work = new ReadingWork(bytes.length);
    }

    /**
     * @return the work that reading the value in these bytes takes
     * @throws TooMuchWorkException if that is more than its bytes allow
     * @throws StreamCorruptedException if this is no stream of one object
     * @throws java.nio.BufferUnderflowException if it ends too soon
     */
    static long work(byte[] bytes) throws TooMuchWorkException, StreamCorruptedException {
        StreamScan scan = new StreamScan(bytes);
        scan.in.getInt();
        scan.content(scan.in.get());
        return scan.work.spent();
    }

    /** A class as the stream describes it. */
    private static final class Description {
        String name = "";
        int flags;
        final List<String> primitives = new ArrayList<>();
        int objects;
        Description parent;

        /** How many are above it; many until that is known. */
        int above = DEEPEST + 1;
    }

    /** The data of one class of an object in the stream. */
    static final class Level {
        final String name;
        final List<ScannedValue> fields = new ArrayList<>();
        final List<ScannedValue> written = new ArrayList<>();
        private final Map<String, Long> numbers = new HashMap<>();
        private ByteBuffer block;

        Level(String name) {
            this.name = name;
        }

        /** The bits of a simple field; 0 if there is none of this name. */
        long number(String field) {
            return numbers.getOrDefault(field, 0L);
        }

        /** A number in the first bytes that the class wrote by itself; 0 if there are none. */
        int block(int at) {
            return block != null && block.limit() >= at + 4 ? block.getInt(at) : 0;
        }
    }

    private ScannedValue content(byte tag) throws TooMuchWorkException, StreamCorruptedException {
        work.spend(1, "of one object");
        if (++depth > DEEPEST) {
            throw new TooMuchWorkException("an object, " + depth + " deep");
        }
        try {
            return inner(tag);
        } finally {
            depth--;
        }
    }

    private ScannedValue inner(byte tag) throws TooMuchWorkException, StreamCorruptedException {
        switch (tag) {
            case ObjectStreamConstants.TC_NULL:
                ScannedValue none = new ScannedValue("", 1);
                none.hash = 0;
                return none;
            case ObjectStreamConstants.TC_REFERENCE:
                Object known = known();
                return known instanceof ScannedValue ? (ScannedValue) known : ScannedValue.NOTHING;
            case ObjectStreamConstants.TC_CLASSDESC:
            case ObjectStreamConstants.TC_PROXYCLASSDESC:
                description(tag);
                return ScannedValue.NOTHING;
            case ObjectStreamConstants.TC_CLASS:
                description(in.get());
                return numbered(new ScannedValue("", 1));
            case ObjectStreamConstants.TC_STRING:
                return numbered(string(in.getShort() & 0xffff));
            case ObjectStreamConstants.TC_LONGSTRING:
                return numbered(string(Math.toIntExact(in.getLong())));
            case ObjectStreamConstants.TC_ENUM:
                return enumeration();
            case ObjectStreamConstants.TC_ARRAY:
                return array();
            case ObjectStreamConstants.TC_OBJECT:
                return object();
            default:
                throw new StreamCorruptedException(ODD);
        }
    }

    private ScannedValue numbered(ScannedValue value) {
        numbered.add(value);
        return value;
    }

    private Object known() throws StreamCorruptedException {
        int number = in.getInt() - ObjectStreamConstants.baseWireHandle;
        if (number < 0 || number >= numbered.size()) {
            throw new StreamCorruptedException(ODD);
        }
        return numbered.get(number);
    }

    /** A text: its hash code is computed from its characters, which have one, two or three bytes each. */
    private ScannedValue string(int length) throws StreamCorruptedException {
        int end = Math.addExact(in.position(), length);
        int hash = 0;
        while (in.position() < end) {
            int first = in.get() & 0xff;
            int character = first;
            if (first >= 0xe0) {
                character = (first & 0x0f) << 12 | (in.get() & 0x3f) << 6 | in.get() & 0x3f;
            } else if (first >= 0xc0) {
                character = (first & 0x1f) << 6 | in.get() & 0x3f;
            }
            hash = 31 * hash + character;
        }
        if (in.position() != end) {
            throw new StreamCorruptedException(ODD);
        }
        ScannedValue value = new ScannedValue("java.lang.String", 1 + length / 8);
        value.hash = hash;
        value.ordered = true;
        return value;
    }

    /** Its hash code is that of the object's identity, which the stream can't choose. */
    private ScannedValue enumeration() throws TooMuchWorkException, StreamCorruptedException {
        description(in.get());
        ScannedValue value = numbered(new ScannedValue("", 1));
        content(in.get());
        return value;
    }

    // ------------------------------------------------------------- Descriptions

    /** A description, a reference to one, or null. */
    private Description description(byte tag) throws TooMuchWorkException, StreamCorruptedException {
        switch (tag) {
            case ObjectStreamConstants.TC_NULL:
                return null;
            case ObjectStreamConstants.TC_REFERENCE:
                Object known = known();
                if (known instanceof Description) {
                    return (Description) known;
                }
                throw new StreamCorruptedException(ODD);
            case ObjectStreamConstants.TC_CLASSDESC:
                return classDescription();
            case ObjectStreamConstants.TC_PROXYCLASSDESC:
                return proxyDescription();
            default:
                throw new StreamCorruptedException(ODD);
        }
    }

    private Description classDescription() throws TooMuchWorkException, StreamCorruptedException {
        Description description = new Description();
        description.name = name();
        work.spend(ReadingWork.OF_A_DESCRIPTION, description.name);
        in.getLong();
        numbered.add(description);
        description.flags = in.get();
        int fields = in.getShort() & 0xffff;
        for (int i = 0; i < fields; i++) {
            field(description);
        }
        annotation(new Level(""));
        description.parent = parent(description);
        return description;
    }

    private Description parent(Description of) throws TooMuchWorkException, StreamCorruptedException {
        if (++depth > DEEPEST) {
            throw new TooMuchWorkException("class " + of.name + ", with too many above it");
        }
        Description parent;
        try {
            parent = description(in.get());
        } finally {
            depth--;
        }
        of.above = parent == null ? 0 : parent.above + 1;
        if (parent == of || of.above > DEEPEST) {
            throw new StreamCorruptedException(ODD);
        }
        return parent;
    }

    /** Simple fields stand before the others, in the stream and in an object. */
    private void field(Description description) throws TooMuchWorkException, StreamCorruptedException {
        char type = (char) in.get();
        String name = name();
        if (type == 'L' || type == '[') {
            description.objects++;
            content(in.get());
        } else if (description.objects == 0 && size(type) > 0) {
            description.primitives.add(type + name);
        } else {
            throw new StreamCorruptedException(ODD);
        }
    }

    private Description proxyDescription() throws TooMuchWorkException, StreamCorruptedException {
        Description description = new Description();
        work.spend(ReadingWork.OF_A_PROXY, "of a proxy");
        numbered.add(description);
        description.flags = ObjectStreamConstants.SC_SERIALIZABLE;
        int interfaces = in.getInt();
        for (int i = 0; i < interfaces; i++) {
            name();
        }
        annotation(new Level(""));
        description.parent = parent(description);
        return description;
    }

    private String name() {
        byte[] bytes = new byte[in.getShort() & 0xffff];
        in.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static int size(char type) {
        switch (type) {
            case 'B': case 'Z':
                return 1;
            case 'C': case 'S':
                return 2;
            case 'I': case 'F':
                return 4;
            case 'J': case 'D':
                return 8;
            default:
                return 0;
        }
    }

    // ------------------------------------------------------------- Arrays and objects

    private ScannedValue array() throws TooMuchWorkException, StreamCorruptedException {
        Description description = description(in.get());
        String type = description == null ? "" : description.name;
        int number = numbered.size();
        numbered.add(ScannedValue.NOTHING);
        int length = in.getInt();
        char element = type.length() < 2 ? ' ' : type.charAt(1);
        if ((long) length * Math.max(size(element), 1) > in.remaining()) {
            throw new TooMuchWorkException("class " + type + " for " + length + " elements");
        }
        ScannedValue array;
        if (size(element) > 0) {
            skip((long) length * size(element));
            array = new ScannedValue(type, 1 + (long) length * size(element) / 8);
        } else {
            List<ScannedValue> elements = new ArrayList<>();
            for (int i = 0; i < length; i++) {
                elements.add(content(in.get()));
            }
            array = ScannedValue.array(type, elements);
        }
        numbered.set(number, array);
        return array;
    }

    private void skip(long bytes) throws StreamCorruptedException {
        if (bytes < 0 || bytes > in.remaining()) {
            throw new StreamCorruptedException(ODD);
        }
        in.position(in.position() + (int) bytes);
    }

    private ScannedValue object() throws TooMuchWorkException, StreamCorruptedException {
        Description description = description(in.get());
        if (description == null) {
            throw new StreamCorruptedException(ODD);
        }
        ScannedValue object = numbered(new ScannedValue(description.name, 1));
        List<Description> classes = new ArrayList<>();
        for (Description each = description; each != null; each = each.parent) {
            classes.add(each);
        }
        Collections.reverse(classes);
        object.open = true;
        for (Description each : classes) {
            work.level(object, level(each));
        }
        object.open = false;
        return object;
    }

    private Level level(Description description) throws TooMuchWorkException, StreamCorruptedException {
        boolean writes = (description.flags & ObjectStreamConstants.SC_WRITE_METHOD) != 0;
        if ((description.flags & ObjectStreamConstants.SC_EXTERNALIZABLE) != 0) {
            if ((description.flags & ObjectStreamConstants.SC_BLOCK_DATA) == 0) {
                throw new StreamCorruptedException(ODD);
            }
            return annotation(new Level(description.name));
        }
        if ((description.flags & ObjectStreamConstants.SC_SERIALIZABLE) == 0) {
            return new Level(description.name);
        }
        boolean fields = description.objects + description.primitives.size() > 0;
        if (fields && WITHOUT_FIELDS.contains(description.name)) {
            throw new StreamCorruptedException(ODD);
        }
        return writes && fields ? fieldsOrNone(description) : fields(description, writes);
    }

    /** A class that writes by itself may leave its fields out, and the stream doesn't say so. */
    private Level fieldsOrNone(Description description) throws TooMuchWorkException, StreamCorruptedException {
        int position = in.position();
        int known = numbered.size();
        try {
            return fields(description, true);
        } catch (StreamCorruptedException | BufferUnderflowException | ArithmeticException e) {
            if (++guesses > GUESSES_MOST) {
                throw e;
            }
        }
        in.position(position);
        numbered.subList(known, numbered.size()).clear();
        return annotation(new Level(description.name));
    }

    private Level fields(Description description, boolean writes)
            throws TooMuchWorkException, StreamCorruptedException {
        Level level = new Level(description.name);
        for (String each : description.primitives) {
            level.numbers.put(each.substring(1), number(each.charAt(0)));
        }
        for (int i = 0; i < description.objects; i++) {
            level.fields.add(content(in.get()));
        }
        return writes ? annotation(level) : level;
    }

    private long number(char type) {
        switch (size(type)) {
            case 1:
                return in.get();
            case 2:
                return type == 'C' ? in.getChar() : in.getShort();
            case 4:
                return in.getInt();
            default:
                return in.getLong();
        }
    }

    /** Reads the data that a class writes by itself: bytes and objects, up to an end mark. */
    private Level annotation(Level level) throws TooMuchWorkException, StreamCorruptedException {
        for (byte tag = in.get(); tag != ObjectStreamConstants.TC_ENDBLOCKDATA; tag = in.get()) {
            if (tag == ObjectStreamConstants.TC_BLOCKDATA || tag == ObjectStreamConstants.TC_BLOCKDATALONG) {
                int length = tag == ObjectStreamConstants.TC_BLOCKDATA ? in.get() & 0xff : in.getInt();
                if (level.block == null) {
                    level.block = in.slice();
                    level.block.limit(Math.min(Math.max(length, 0), level.block.limit()));
                }
                skip(length);
            } else {
                level.written.add(content(tag));
            }
        }
        return level;
    }
}
