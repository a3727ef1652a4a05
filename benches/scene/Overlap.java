import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Sends overlapping requests of one session. Clients count their own attributes at one Tomcat while others read at the second, and
 * now and then one of them logs in. In other sessions, without logins, clients count at both. (A login ends the old id; if
 * a request at the other Tomcat changes the session just then, the change is lost.)
 *
 * <p>{@code java Overlap.java REQUESTS URL1 URL2} prints how many counts were lost, passed over or not answered, and exits with 1 if
 * there were any. A count is lost if it isn't above the one before; each client has its own, so nobody else can have changed it. A
 * count is passed over if a request was run twice, or once for an answer that didn't arrive.
 *
 * <p>The client of {@code java.net.http} isn't used, since it drops answers that come very soon: a capture of the packets showed
 * that the answer had arrived in its socket when it closed that without reading. It then repeats a GET by itself.
 */
public class Overlap {
    private static final int SESSIONS = 4;
    private static final int LOGIN_EVERY = 200;

    private static final AtomicLong REQUESTS = new AtomicLong();
    private static final AtomicLong LOGINS = new AtomicLong();
    private static final AtomicLong LOST = new AtomicLong();
    private static final AtomicLong PASSED_OVER = new AtomicLong();
    private static final AtomicLong ERRORS = new AtomicLong();
    private static final AtomicLong LONGEST = new AtomicLong();

    /** The clients of one session share its cookie. A login of one of them changes the cookie for all, as in a browser. */
    private static final class Session {
        private volatile String cookie;
        /** The number of logins that were begun, and of those whose cookie has arrived. Only one client logs in. */
        private volatile long begun;
        private volatile long generation;

        void renamed(String set) {
            cookie = set;
            generation = begun;
        }
    }

    public static void main(String[] args) throws Exception {
        long most = Long.parseLong(args[0]);
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < SESSIONS; i++) {
            Session session = new Session();
            boolean withLogins = i % 2 == 0;
            new Client(args[1], session, "start").count();
            threads.add(new Thread(() -> until(most, new Client(args[1], session, "a"), withLogins)));
            threads.add(new Thread(() -> until(most, new Client(args[1], session, "b"), false)));
            threads.add(new Thread(() -> until(most, new Client(args[2], session, withLogins ? null : "c"), false)));
        }
        threads.forEach(Thread::start);
        for (Thread thread : threads) {
            thread.join();
        }
        System.out.println(REQUESTS + " requests, " + LOGINS + " logins, " + LOST + " counts lost, " + PASSED_OVER + " passed over, "
                + ERRORS + " errors, longest " + LONGEST + " ms");
        System.exit(LOST.get() + PASSED_OVER.get() + ERRORS.get() == 0 ? 0 : 1);
    }

    private static void until(long most, Client client, boolean logsIn) {
        for (int turn = 1; REQUESTS.get() < most; turn++) {
            if (logsIn && turn % LOGIN_EVERY == 0) {
                client.login();
            } else {
                client.count();
            }
        }
    }

    private static final class Client {
        private final String url;
        private final Session session;
        private final String name;
        private long last;

        Client(String url, Session session, String name) {
            this.url = url;
            this.session = session;
            this.name = name;
        }

        void count() {
            long generation = session.generation;
            String answer = ask(name == null ? "?w=read" : "?w=own&n=" + name);
            if (answer == null || name == null) {
                return;
            }
            if (answer.equals("none")) {
                // During a login the old id is already invalid.
                if (session.begun == generation) {
                    lost("the session");
                }
                return;
            }
            long count = Long.parseLong(answer);
            if (count <= last) {
                lost(name + " was at " + last + ", got " + count);
            } else if (count > last + 1) {
                PASSED_OVER.incrementAndGet();
                System.err.println("passed over: " + name + " was at " + last + ", got " + count);
            }
            last = count;
        }

        void login() {
            session.begun++;
            if (ask("?w=login") != null) {
                LOGINS.incrementAndGet();
            }
        }

        private void lost(String what) {
            LOST.incrementAndGet();
            System.err.println("lost: " + what);
        }

        private String ask(String query) {
            long start = System.nanoTime();
            try {
                String cookie = session.cookie;
                HttpURLConnection http = post(query, cookie);
                String answer = body(http);
                LONGEST.accumulateAndGet((System.nanoTime() - start) / 1_000_000, Math::max);
                REQUESTS.incrementAndGet();
                if (cookie == null || query.equals("?w=login")) {
                    session.renamed(http.getHeaderField("Set-Cookie").split(";")[0]);
                }
                return answer;
            } catch (IOException e) {
                ERRORS.incrementAndGet();
                System.err.println("error: " + name + ": " + e);
                return null;
            }
        }

        /** A request with a body of a length told beforehand isn't repeated, even if that length is 0. */
        private HttpURLConnection post(String query, String cookie) throws IOException {
            HttpURLConnection http = (HttpURLConnection) URI.create(url + query).toURL().openConnection();
            http.setReadTimeout(60_000);
            http.setRequestMethod("POST");
            http.setDoOutput(true);
            http.setFixedLengthStreamingMode(0);
            if (cookie != null) {
                http.setRequestProperty("Cookie", cookie);
            }
            http.getOutputStream().close();
            return http;
        }

        private static String body(HttpURLConnection http) throws IOException {
            try (InputStream in = http.getInputStream()) {
                return new String(in.readAllBytes(), StandardCharsets.UTF_8).trim();
            }
        }
    }
}
