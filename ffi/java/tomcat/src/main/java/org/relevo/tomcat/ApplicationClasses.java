package org.relevo.tomcat;

import java.security.CodeSource;
import java.util.regex.Pattern;

import org.apache.catalina.Container;
import org.apache.catalina.Context;
import org.apache.catalina.Engine;

/**
 * Which classes are an application's own, and which lie in its libraries.
 *
 * <p>Its own are those that aren't packed as a library: in {@code WEB-INF/classes}, {@code BOOT-INF/classes}, any
 * folder of a class path; and those in jars that the administrator names, of an application that is built of several.
 */
final class ApplicationClasses {

    private final Context context;
    private final Pattern jars;
    private final LearnedClasses learned;

    /** Where a class lies doesn't change. */
    private final ClassValue<Boolean> own = new ClassValue<>() {
        @Override
        protected Boolean computeValue(Class<?> type) {
            CodeSource source = type.getProtectionDomain().getCodeSource();
            return source != null && source.getLocation() != null && isOwn(source.getLocation().toString());
        }
    };

    /**
     * @param jars names of the application's own, {@code shop-*.jar,catalogue.jar}; null: none
     * @param learned what it wrote of its libraries' classes
     */
    ApplicationClasses(Context context, String jars, LearnedClasses learned) {
        this.context = context;
        this.jars = pattern(jars);
        this.learned = learned;
    }

    LearnedClasses learned() {
        return learned;
    }

    private static Pattern pattern(String jars) {
        String names = jars == null ? "" : jars.strip();
        return Pattern.compile(names.isEmpty() ? "(?!)"
                : "\\Q" + names.replace("*", "\\E[^/]*\\Q").replaceAll("\\s*,\\s*", "\\\\E|\\\\Q") + "\\E");
    }

    /** Whether the class was written for this application. */
    boolean areOwn(Class<?> type) {
        return isOfTheLoader(type) && own.get(type);
    }

    /**
     * Whether the class came with the application, and not with Tomcat. Where an application brings its Tomcat along,
     * all but the JDK's did.
     */
    boolean isOfTheLoader(Class<?> type) {
        if (isEmbedded()) {
            return true;
        }
        ClassLoader webapp = context.getLoader() == null ? null : context.getLoader().getClassLoader();
        ClassLoader loader = type.getClassLoader();
        while (loader != null && loader != webapp) {
            // A compiled page has a loader of its own.
            loader = loader.getParent();
        }
        return loader != null;
    }

    /** Only Tomcat's own start script makes the object that reads server.xml. */
    private boolean isEmbedded() {
        Container container = context;
        while (container != null && !(container instanceof Engine)) {
            container = container.getParent();
        }
        return container == null || ((Engine) container).getService() == null
                || ((Engine) container).getService().getServer() == null
                || ((Engine) container).getService().getServer().getCatalina() == null;
    }

    /** By the place of a class as its loader knows it: a folder, a jar, an archive within one. */
    private boolean isOwn(String location) {
        String place = location.replaceAll("[!*/]+$", "");
        if (place.endsWith("/BOOT-INF/classes") || place.endsWith("/WEB-INF/classes") || place.endsWith(".war")) {
            return true;
        }
        String name = place.substring(place.lastIndexOf('/') + 1);
        return jars.matcher(name).matches() || location.startsWith("file:") && location.endsWith("/");
    }
}
