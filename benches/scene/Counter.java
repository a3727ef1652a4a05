import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpSession;
import java.io.IOException;
import java.util.HashMap;
import java.util.concurrent.ThreadLocalRandom;

/**
 * The application of the scene and of the lab. It answers each request with one line: the node that
 * served it, the session id and the count kept in the session, as in {@code tomcat1 6B94.tomcat1 7}.
 *
 * <p>The parameter {@code w} chooses the work: {@code counter} (also the default) changes one Integer,
 * {@code cart} an Integer and one of ten strings of 1 KB, {@code blob} an Integer and one value of a map of 128
 * strings that is set again as a whole; {@code souvenir} changes an Integer and adds an object of a class that not every Tomcat has;
 * {@code read} changes nothing and creates no session; {@code own} counts in the attribute that {@code n} names, and
 * {@code login} gives the session another id. The last two answer with the count or the id only, or with {@code none}.
 */
public class Counter extends HttpServlet {
    private static final long serialVersionUID = 1;
    private static final String NODE = System.getProperty("scene.node", "?");

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response) throws IOException {
        doGet(request, response);
    }

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        String work = request.getParameter("w");
        if ("own".equals(work) || "login".equals(work)) {
            response.setContentType("text/plain");
            response.getWriter().println(overlapping(request, work));
            return;
        }
        boolean read = "read".equals(work);
        HttpSession session = request.getSession(!read);
        response.setContentType("text/plain");
        if (session == null) {
            response.getWriter().println(NODE + " none 0");
            return;
        }
        int count = session.getAttribute("count") instanceof Integer ? (Integer) session.getAttribute("count") : 0;
        if (!read) {
            count++;
            session.setAttribute("count", count);
        }
        if ("cart".equals(work)) {
            cart(session, count);
        } else if ("blob".equals(work)) {
            blob(session);
        } else if ("souvenir".equals(work)) {
            souvenir(session);
        }
        response.getWriter().println(NODE + " " + session.getId() + " " + count);
    }

    private static String overlapping(HttpServletRequest request, String work) {
        String name = request.getParameter("n");
        HttpSession session = request.getSession("start".equals(name));
        if (session == null) {
            return "none";
        }
        if ("login".equals(work)) {
            return request.changeSessionId();
        }
        int count = session.getAttribute(name) instanceof Integer ? (Integer) session.getAttribute(name) : 0;
        session.setAttribute(name, count + 1);
        return String.valueOf(count + 1);
    }

    private static void cart(HttpSession session, int count) {
        for (int item = 0; count == 1 && item < 10; item++) {
            session.setAttribute("item" + item, text(1024));
        }
        session.setAttribute("item" + count % 10, text(1024));
    }

    private static void blob(HttpSession session) {
        @SuppressWarnings("unchecked")
        HashMap<String, String> map = (HashMap<String, String>) session.getAttribute("map");
        if (map == null) {
            map = new HashMap<>();
            for (int key = 0; key < 128; key++) {
                map.put("key" + key, text(100));
            }
        }
        map.put("key" + ThreadLocalRandom.current().nextInt(128), text(100));
        session.setAttribute("map", map);
    }

    /** Adds a souvenir if this Tomcat has the class. Reads the attribute on every Tomcat. */
    private static void souvenir(HttpSession session) {
        try {
            session.setAttribute("souvenir", Class.forName("Souvenir").getConstructor().newInstance());
        } catch (ReflectiveOperationException e) {
            session.getAttribute("souvenir");
        }
    }

    private static String text(int length) {
        char[] letters = new char[length];
        for (int i = 0; i < length; i++) {
            letters[i] = (char) ('a' + ThreadLocalRandom.current().nextInt(26));
        }
        return new String(letters);
    }
}
