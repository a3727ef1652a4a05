import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Sends overlapping requests of one session. Clients count their own attributes at one Tomcat while others read at the second, and
 * now and then one of them logs in. In other sessions, without logins, clients count at both. (A login ends the old id; if
 * a request at the other Tomcat changes the session just then, the change is lost.)
 *
 * <p>{@code java Overlap.java REQUESTS URL1 URL2} prints how many counts were lost and requests refused, and exits with 1 if there
 * were any. A count is lost if it isn't above the one before; each client has its own, so nobody else can have changed it. A count is
 * passed over if its answer didn't arrive: Java's client repeats a GET by itself when its connection ends without an answer.
 */
public class Overlap {
    private static final int SESSIONS = 4;
    private static final int LOGIN_EVERY = 200;

    private static final AtomicLong REQUESTS = new AtomicLong();
    private static final AtomicLong LOGINS = new AtomicLong();
    private static final AtomicLong LOST = new AtomicLong();
    private static final AtomicLong REPEATED = new AtomicLong();
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
        System.out.println(REQUESTS + " requests, " + LOGINS + " logins, " + LOST + " counts lost, " + REPEATED + " passed over, "
                + ERRORS + " errors, longest " + LONGEST + " ms");
        System.exit(LOST.get() + ERRORS.get() == 0 ? 0 : 1);
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
        private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
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
                REPEATED.incrementAndGet();
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
            HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + query)).timeout(Duration.ofSeconds(60));
            String cookie = session.cookie;
            if (cookie != null) {
                request.header("Cookie", cookie);
            }
            long start = System.nanoTime();
            try {
                HttpResponse<String> response = http.send(request.build(), HttpResponse.BodyHandlers.ofString());
                LONGEST.accumulateAndGet((System.nanoTime() - start) / 1_000_000, Math::max);
                REQUESTS.incrementAndGet();
                if (response.statusCode() != 200) {
                    throw new IllegalStateException("status " + response.statusCode() + ": " + response.body());
                }
                if (cookie == null || query.equals("?w=login")) {
                    session.renamed(response.headers().firstValue("set-cookie").orElseThrow().split(";")[0]);
                }
                return response.body().trim();
            } catch (Exception e) {
                ERRORS.incrementAndGet();
                System.err.println("error: " + name + ": " + e);
                return null;
            }
        }
    }
}
