package org.relevo.tomcat;

import java.io.Serializable;
import java.util.Locale;

import org.apache.catalina.authenticator.Constants;
import org.relevo.Changes;

/** The names under which the parts of a session are known in the cluster. */
final class SessionState {

    /** Prefix of an application's attribute. */
    static final String ATTRIBUTE = "a:";

    static final String CREATED = "m:created";
    static final String PRINCIPAL = "m:principal";
    static final String AUTH_TYPE = "m:authType";
    static final String LISTENERS = "m:listeners";

    /** Prefix of a note. */
    static final String NOTE = "m:note:";

    /** Prefix of the hash of a name that is too long for the cluster. */
    private static final String LONG = "l:";

    private static final int DESCRIBED_MOST = 100;

    private SessionState() {
    }

    static boolean isAttribute(String full) {
        return full.startsWith(ATTRIBUTE);
    }

    static boolean isNote(String full) {
        return full.startsWith(NOTE);
    }

    /** The name of an attribute or note without its prefix. */
    static String name(String full) {
        return full.substring(isNote(full) ? NOTE.length() : ATTRIBUTE.length());
    }

    /**
     * Whether a note goes to other nodes: like in Tomcat 10.1 all that can be serialized, but never a password (Tomcat
     * sends it in clear), nor the user's name that is of no use without it.
     */
    static boolean travels(String note, Object value) {
        return value instanceof Serializable && !note.equals(Constants.SESS_USERNAME_NOTE)
                && !note.toLowerCase(Locale.ROOT).contains("password");
    }

    /** The name in the cluster: a name that is too long is known by its hash. */
    static String wire(String full) {
        return Changes.isName(full) ? full : LONG + Hash.of(full);
    }

    /** How messages call it. */
    static String describe(String full) {
        if (isAttribute(full)) {
            String name = name(full);
            return "attribute " + (name.length() <= DESCRIBED_MOST ? name : name.substring(0, DESCRIBED_MOST) + "…");
        }
        return isNote(full) ? "note " + name(full) : full.substring(full.startsWith("m:") ? 2 : 0);
    }
}
