import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.LocalTime;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.stream.IntStream;

/**
 * A browser that sends requests without pause: several threads count in many sessions, one request after the other, and check every
 * answer against the last one of its session.
 *
 * <p>A count is lost if an answer is not greater than the last one, or comes from another session. An error is
 * any result except a 200 in time. Run {@code java Client.java URL THREADS SESSIONS}. Each line on standard input is answered with
 * {@code requests errors lost turns longest}, counted since the start. {@code turns} is how often every session was asked for, and
 * {@code longest} is the longest wait in milliseconds since the line before. At the end of the input the client ends. Every
 * loss and error is printed on standard error.
 *
 * <p>The client of {@code java.net.http} isn't used, since it drops answers that come very soon (see {@code Overlap.java}).
 */
public class Client {
    private static final AtomicLong REQUESTS = new AtomicLong();
    private static final AtomicLong ERRORS = new AtomicLong();
    private static final AtomicLong LOST = new AtomicLong();
    private static final AtomicLong LONGEST = new AtomicLong();
    private static volatile boolean running = true;

    /** One session: its cookie, its id without the route, the last count and the time of its answer. */
    private static final class Session {
        String cookie;
        String id;
        long count;
        long answered;
    }

    public static void main(String[] args) throws Exception {
        URI uri = URI.create(args[0]);
        int threads = Integer.parseInt(args[1]);
        int sessions = Integer.parseInt(args[2]);
        // Each thread has its connection; by default five are kept.
        System.setProperty("http.maxConnections", args[1]);
        Thread[] workers = new Thread[threads];
        AtomicLongArray turns = new AtomicLongArray(threads);
        for (int i = 0; i < threads; i++) {
            int thread = i;
            int own = (sessions + threads - 1 - i) / threads;
            workers[i] = new Thread(() -> count(uri, own, () -> turns.incrementAndGet(thread)));
            workers[i].setDaemon(true);
            workers[i].start();
        }
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        while (input.readLine() != null) {
            long all = IntStream.range(0, threads).mapToLong(turns::get).min().orElse(0);
            System.out.println(REQUESTS + " " + ERRORS + " " + LOST + " " + all + " " + LONGEST.getAndSet(0));
        }
        running = false;
        for (Thread worker : workers) {
            worker.join();
        }
    }

    private static void count(URI uri, int sessions, Runnable turn) {
        Session[] own = new Session[sessions];
        for (int i = 0; i < sessions; i++) {
            own[i] = new Session();
        }
        while (running) {
            for (int i = 0; running && i < sessions; i++) {
                ask(uri, own[i]);
            }
            turn.run();
        }
    }

    private static void ask(URI uri, Session session) {
        long start = System.nanoTime();
        try {
            HttpURLConnection http = post(uri, session.cookie);
            int status = http.getResponseCode();
            if (status == 200) {
                check(session, http.getHeaderField("Set-Cookie"), body(http));
            } else {
                error("status " + status, session);
            }
        } catch (IOException | RuntimeException e) {
            error(e.toString(), session);
        }
        REQUESTS.incrementAndGet();
        LONGEST.accumulateAndGet((System.nanoTime() - start) / 1_000_000, Math::max);
    }

    /** A request with a body of a length told beforehand isn't repeated by itself, even if that length is 0. */
    private static HttpURLConnection post(URI uri, String cookie) throws IOException {
        HttpURLConnection http = (HttpURLConnection) uri.toURL().openConnection();
        http.setConnectTimeout(30_000);
        http.setReadTimeout(30_000);
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

    private static void check(Session session, String cookie, String answer) {
        if (cookie != null) {
            session.cookie = cookie.split(";")[0];
        }
        String[] words = answer.split("\\s+");
        if (words.length != 3) { // mod_jk tries again after a partial answer, and may then pass on both
            error("not one answer but " + answer, session);
            return;
        }
        String id = words[1].split("\\.")[0];
        long count = Long.parseLong(words[2]);
        if (session.id != null && (!id.equals(session.id) || count <= session.count)) {
            LOST.incrementAndGet();
            long before = (System.nanoTime() - session.answered) / 1_000_000;
            tell("lost: " + session.id + " was at " + session.count + " " + before + " ms before, got " + answer);
        }
        session.id = id;
        session.count = count;
        session.answered = System.nanoTime();
    }

    private static void error(String what, Session session) {
        ERRORS.incrementAndGet();
        tell("error: " + what + ", session " + session.id + " at " + session.count);
        try {
            Thread.sleep(10);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void tell(String what) {
        System.err.println(LocalTime.now() + " " + what);
    }
}
