package org.relevo.tomcat;

import java.io.ObjectInputFilter;
import java.io.ObjectInputFilter.FilterInfo;
import java.io.ObjectInputFilter.Status;
import java.lang.reflect.Proxy;

import org.apache.catalina.Context;

/**
 * Which classes may become objects out of a session's bytes, and how large a value may be.
 *
 * <p>The administrator's pattern decides first, in the language of {@code jdk.serialFilter}. Where it is silent, these
 * are allowed and no others: {@link JdkValues values of the JDK}, {@link ApplicationClasses classes of the application
 * itself}, {@link LibraryValues some of common libraries}, and those of its libraries that
 * {@link LearnedClasses the application has written} into sessions; the latter unless they are of a kind that
 * {@link KnownGadgets attacks} are made of.
 */
final class ObjectFilter {

    /** Deeper graphs would come near the end of a request's stack. */
    private static final String LIMITS = "maxdepth=200";

    private enum Verdict {
        ALLOWED, REFUSED, IF_WRITTEN
    }

    private final String pattern;
    private final ObjectInputFilter own;
    private final String applicationJars;

    /**
     * @param pattern the administrator's, in the language of {@code jdk.serialFilter}; null: none
     * @throws IllegalArgumentException if it isn't one
     */
    ObjectFilter(String pattern) {
        this(pattern, null);
    }

    /**
     * @param pattern the administrator's, in the language of {@code jdk.serialFilter}; null: none
     * @param applicationJars names of jars that are the application's own, separated by commas; null: none
     * @throws IllegalArgumentException if the pattern isn't one
     */
    ObjectFilter(String pattern, String applicationJars) {
        this.pattern = pattern == null ? "" : pattern.replaceAll("\\s+", "");
        this.applicationJars = applicationJars;
        own = ObjectInputFilter.Config.createFilter(LIMITS + ";" + this.pattern);
    }

    /** The classes of one application, as this filter divides them. */
    ApplicationClasses application(Context context, LearnedClasses learned) {
        return new ApplicationClasses(context, applicationJars, learned);
    }

    /** The check of one value. */
    Reading reading(int bytes, ApplicationClasses application) {
        return new Reading(bytes, application);
    }

    /**
     * Notes that the application writes this class into a session.
     *
     * @return whether other nodes will read it, which is to be told before it matters
     */
    boolean noteWritten(Class<?> type, ApplicationClasses application) {
        switch (judge(new ClassAlone(type), application)) {
            case ALLOWED:
                return true;
            case IF_WRITTEN:
                return application.learned().learn(element(type).getName());
            default:
                return false;
        }
    }

    /** The cure for a refused class, as text that follows its name. */
    String cure(Class<?> type) {
        ClassAlone info = new ClassAlone(element(type));
        if (own.checkInput(info) == Status.REJECTED) {
            return "; objectFilter on the Cluster says so";
        }
        if (KnownGadgets.hasName(info)) {
            return "; attacks with it are published, and only an objectFilter that names it allows it";
        }
        String rest = pattern.isEmpty() ? "" : ";" + pattern;
        return "; if the application needs it, set on the Cluster of every node: objectFilter=\""
                + info.serialClass().getName() + rest + "\"";
    }

    private static Class<?> element(Class<?> type) {
        Class<?> element = type;
        while (element != null && element.isArray()) {
            element = element.getComponentType();
        }
        return element;
    }

    private Verdict judge(FilterInfo info, ApplicationClasses application) {
        Status status = own.checkInput(info);
        Class<?> type = element(info.serialClass());
        if (status != Status.UNDECIDED) {
            return allowedIf(status == Status.ALLOWED);
        }
        if (type == null || type.isPrimitive() || Proxy.isProxyClass(type)) {
            // The interfaces and the handler of a proxy are asked for by themselves.
            return Verdict.ALLOWED;
        }
        return judge(type, application);
    }

    private static Verdict judge(Class<?> type, ApplicationClasses application) {
        ClassAlone alone = new ClassAlone(type);
        if (JdkValues.isOfTheJdk(type)) {
            return allowedIf(JdkValues.has(alone, type));
        }
        if (LibraryValues.has(alone)) {
            return Verdict.ALLOWED;
        }
        if (KnownGadgets.hasName(alone)) {
            return Verdict.REFUSED;
        }
        if (application.areOwn(type)) {
            return Verdict.ALLOWED;
        }
        boolean learnable = application.isOfTheLoader(type) && !KnownGadgets.isOfTheirKind(type);
        return learnable ? Verdict.IF_WRITTEN : Verdict.REFUSED;
    }

    private static Verdict allowedIf(boolean allowed) {
        return allowed ? Verdict.ALLOWED : Verdict.REFUSED;
    }

    /** Checks one value while it is read, and remembers what it refused. */
    final class Reading implements ObjectInputFilter {

        private final ObjectInputFilter everywhere = ObjectInputFilter.Config.getSerialFilter();
        private final ApplicationClasses application;
        private long elementsLeft;
        private String refused;
        private String cure = "";

        /** Each element of an array has a byte at least; hash tables ask for a few times as much as they have. */
        private Reading(int bytes, ApplicationClasses application) {
            this.application = application;
            elementsLeft = 64 + 4L * bytes;
        }

        /** The refused class or size and the cause; null if nothing was refused. */
        String refused() {
            return refused;
        }

        /** The cure for the refusal. */
        String cure() {
            return cure;
        }

        @Override
        public Status checkInput(FilterInfo info) {
            elementsLeft -= Math.max(info.arrayLength(), 0);
            boolean refuse = elementsLeft < 0 || everywhere != null && everywhere.checkInput(info) == Status.REJECTED;
            if (refuse) {
                refuse(describe(info), "");
                return Status.REJECTED;
            }
            return allows(info) ? Status.ALLOWED : Status.REJECTED;
        }

        /** Whether a proxy may have this interface; asked before a class is made of it. */
        boolean allowsInterface(Class<?> type) {
            return allows(new ClassAlone(type));
        }

        private boolean allows(FilterInfo info) {
            Verdict verdict = judge(info, application);
            boolean allowed = verdict == Verdict.ALLOWED || verdict == Verdict.IF_WRITTEN
                    && application.learned().contains(element(info.serialClass()).getName());
            if (!allowed) {
                refuse(describe(info), info.serialClass() == null ? "" : ObjectFilter.this.cure(info.serialClass()));
            }
            return allowed;
        }

        private void refuse(String what, String whatToDo) {
            if (refused == null) {
                refused = what;
                cure = whatToDo;
            }
        }

        private String describe(FilterInfo info) {
            String what = info.serialClass() == null ? "an object" : "class " + info.serialClass().getName();
            return what + (info.arrayLength() < 0 ? "" : " for " + info.arrayLength() + " elements") + ", "
                    + info.depth() + " deep";
        }
    }

    /** A class that nobody reads just now. */
    private static final class ClassAlone implements FilterInfo {

        private final Class<?> type;

        ClassAlone(Class<?> type) {
            this.type = type;
        }

        @Override
        public Class<?> serialClass() {
            return type;
        }

        @Override
        public long arrayLength() {
            return -1;
        }

        @Override
        public long depth() {
            return 1;
        }

        @Override
        public long references() {
            return 1;
        }

        @Override
        public long streamBytes() {
            return 0;
        }
    }
}
