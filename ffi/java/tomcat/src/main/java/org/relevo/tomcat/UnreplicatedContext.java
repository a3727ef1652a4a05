package org.relevo.tomcat;

import org.apache.catalina.Context;
import org.apache.catalina.Manager;
import org.apache.catalina.core.StandardContext;

/** Tells why the sessions of a context stay on their node although there is a cluster. */
final class UnreplicatedContext {

    private UnreplicatedContext() {
    }

    /** In words, with the cure; null if they are replicated, or if the manager has told it. */
    static String why(Context context) {
        Manager manager = context.getManager();
        if (manager == null || manager instanceof RelevoManager) {
            return null;
        }
        if (context instanceof StandardContext && !((StandardContext) context).getDistributable()) {
            return "it isn't distributable; if its sessions are to be, add <distributable/> to its web.xml";
        }
        return "it has its own Manager " + manager.getClass().getName() + "; remove the Manager element of its context.xml, "
                + "or give it className=\"" + RelevoManager.class.getName() + "\"";
    }
}
