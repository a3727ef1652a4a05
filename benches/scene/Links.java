import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.invoke.MethodType;
import java.lang.reflect.Constructor;
import java.lang.reflect.Member;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Enumeration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;

/**
 * Whether a jar fits the jars beside it: {@code java Links.java JAR LIBRARY…}. Every class, method and field that its classes
 * name is there, and none of its classes leaves a method without a body. Prints what is missing and fails, or prints how much
 * it has looked at.
 */
final class Links {

    private final ClassLoader loader;
    private final Set<String> missing = new TreeSet<>();
    private final Set<String> found = new TreeSet<>();

    private Links(ClassLoader loader) {
        this.loader = loader;
    }

    public static void main(String[] jars) throws IOException {
        List<URL> urls = new ArrayList<>();
        for (String each : jars) {
            urls.add(Path.of(each).toUri().toURL());
        }
        Links links = new Links(new URLClassLoader(urls.toArray(new URL[0]), ClassLoader.getPlatformClassLoader()));
        int classes = 0;
        try (JarFile jar = new JarFile(jars[0])) {
            for (Enumeration<JarEntry> each = jar.entries(); each.hasMoreElements();) {
                JarEntry entry = each.nextElement();
                if (entry.getName().endsWith(".class")) {
                    links.check(entry.getName().replaceAll("\\.class$", ""), jar.getInputStream(entry));
                    classes++;
                }
            }
        }
        links.missing.forEach(System.out::println);
        System.out.println(classes + " classes, " + links.found.size() + " references, " + links.missing.size() + " missing");
        System.exit(links.missing.isEmpty() && !links.found.isEmpty() ? 0 : 1);
    }

    private void check(String name, InputStream file) throws IOException {
        try {
            // Linked, so that the virtual machine finds what it refuses: a final method that is overridden, say.
            allHaveBodies(Class.forName(name.replace('/', '.'), true, loader));
        } catch (ClassNotFoundException | LinkageError e) {
            missing.add(name + ": " + e);
        }
        for (String[] reference : references(file)) {
            // What a class inherits is named as its own. Methods of many shapes are declared in none of them.
            if (!reference[0].startsWith("java/lang/invoke/")) {
                check(name, reference[0], reference[1], reference[2]);
            }
        }
    }

    private void allHaveBodies(Class<?> type) {
        if (!Modifier.isAbstract(type.getModifiers())) {
            for (Method each : type.getMethods()) {
                if (Modifier.isAbstract(each.getModifiers())) {
                    missing.add(type.getName() + " has no " + each);
                }
            }
        }
    }

    private void check(String name, String owner, String member, String descriptor) {
        String what = owner + (member == null ? "" : "." + member + " " + descriptor);
        try {
            Class<?> type = load(owner);
            if (member == null || has(type, member, descriptor)) {
                found.add(what);
                return;
            }
        } catch (ClassNotFoundException | LinkageError e) {
            // Told below.
        }
        missing.add(name + " needs " + what);
    }

    private Class<?> load(String name) throws ClassNotFoundException {
        return name.startsWith("[") ? Class.forName(name.replace('/', '.'), false, loader)
                : loader.loadClass(name.replace('/', '.'));
    }

    private static boolean has(Class<?> type, String member, String descriptor) {
        if (type == null) {
            return false;
        }
        if (type.isArray() || declares(type, member, descriptor) || has(type.getSuperclass(), member, descriptor)) {
            return true;
        }
        for (Class<?> each : type.getInterfaces()) {
            if (has(each, member, descriptor)) {
                return true;
            }
        }
        return type.isInterface() && declares(Object.class, member, descriptor);
    }

    private static boolean declares(Class<?> type, String member, String descriptor) {
        if (!descriptor.startsWith("(")) {
            return List.of(type.getDeclaredFields()).stream().anyMatch(each -> isUsable(type, each)
                    && each.getName().equals(member) && each.getType().descriptorString().equals(descriptor));
        }
        if (member.equals("<init>")) {
            for (Constructor<?> each : type.getDeclaredConstructors()) {
                if (isUsable(type, each) && shape(void.class, each.getParameterTypes()).equals(descriptor)) {
                    return true;
                }
            }
            return false;
        }
        for (Method each : type.getDeclaredMethods()) {
            if (isUsable(type, each) && each.getName().equals(member)
                    && shape(each.getReturnType(), each.getParameterTypes()).equals(descriptor)) {
                return true;
            }
        }
        return false;
    }

    /** A private member is of use to its own class and to those within it, which the compiler sees to. */
    private static boolean isUsable(Class<?> type, Member member) {
        return !Modifier.isPrivate(member.getModifiers()) || type.getName().startsWith("org.relevo.");
    }

    private static String shape(Class<?> result, Class<?>[] parameters) {
        return MethodType.methodType(result, parameters).toMethodDescriptorString();
    }

    // What a class file names: chapter 4.4 of the specification of the virtual machine.

    private static List<String[]> references(InputStream file) throws IOException {
        try (DataInputStream in = new DataInputStream(file)) {
            in.skipBytes(8);
            Object[] pool = new Object[in.readUnsignedShort()];
            for (int i = 1; i < pool.length; i++) {
                int tag = in.readUnsignedByte();
                pool[i] = constant(tag, in);
                // A long number takes two places.
                i += tag == 5 || tag == 6 ? 1 : 0;
            }
            List<String[]> references = new ArrayList<>();
            for (Object each : pool) {
                if (each instanceof int[]) {
                    references.add(reference((int[]) each, pool));
                }
            }
            references.removeIf(each -> each == null);
            return references;
        }
    }

    private static Object constant(int tag, DataInputStream in) throws IOException {
        switch (tag) {
            case 1:
                return in.readUTF();
            case 7: case 8: case 16: case 19: case 20:
                return new int[] { tag, in.readUnsignedShort() };
            case 9: case 10: case 11: case 12: case 17: case 18:
                return new int[] { tag, in.readUnsignedShort(), in.readUnsignedShort() };
            case 3: case 4:
                return in.readInt();
            case 5: case 6:
                return in.readLong();
            case 15:
                return new int[] { tag, in.readUnsignedByte(), in.readUnsignedShort() };
            default:
                throw new IOException("constant of the kind " + tag);
        }
    }

    /** Class, member and descriptor; the last two null for a class; null for what is no reference. */
    private static String[] reference(int[] constant, Object[] pool) {
        if (constant[0] == 7) {
            return new String[] { (String) pool[constant[1]], null, null };
        }
        if (constant[0] < 9 || constant[0] > 11) {
            return null;
        }
        int[] nameAndType = (int[]) pool[constant[2]];
        String owner = (String) pool[((int[]) pool[constant[1]])[1]];
        return new String[] { owner, (String) pool[nameAndType[1]], (String) pool[nameAndType[2]] };
    }
}
