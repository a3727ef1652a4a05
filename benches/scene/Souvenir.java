import java.io.Serializable;

/** An attribute's class that only one of the Tomcats has: see the mishaps. */
public class Souvenir implements Serializable {
    private static final long serialVersionUID = 1;

    final String from = System.getProperty("scene.node", "?");
}
