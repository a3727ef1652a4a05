package org.relevo.tomcat;

import org.relevo.RelevoException;

/** Reads settings late: what Tomcat's digester can't convert, it would leave at its default with a line of its own. */
final class Setting {

    private Setting() {
    }

    /**
     * @param name of the setting
     * @param digits what it is set to
     * @param most that it may be
     * @return the number, from 0 to {@code most}
     */
    static long number(String name, String digits, long most) throws RelevoException {
        try {
            long number = Long.parseLong(digits.strip());
            if (number >= 0 && number <= most) {
                return number;
            }
        } catch (NumberFormatException e) {
            // Told below.
        }
        throw new RelevoException(name + "=\"" + digits + "\": not a number from 0 to " + most
                + "; correct it on the Cluster");
    }
}
