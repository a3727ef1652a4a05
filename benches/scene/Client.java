import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
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
        HttpClient http = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1).connectTimeout(Duration.ofSeconds(30)).build();
        Session[] own = new Session[sessions];
        for (int i = 0; i < sessions; i++) {
            own[i] = new Session();
        }
        while (running) {
            for (int i = 0; running && i < sessions; i++) {
                ask(http, uri, own[i]);
            }
            turn.run();
        }
    }

    private static void ask(HttpClient http, URI uri, Session session) {
        HttpRequest.Builder request = HttpRequest.newBuilder(uri).timeout(Duration.ofSeconds(30));
        if (session.cookie != null) {
            request.header("Cookie", session.cookie);
        }
        long start = System.nanoTime();
        try {
            HttpResponse<String> response = http.send(request.build(), HttpResponse.BodyHandlers.ofString());
            if (response.statusCode() == 200) {
                check(session, response);
            } else {
                error("status " + response.statusCode(), session);
            }
        } catch (Exception e) {
            error(e.toString(), session);
        }
        REQUESTS.incrementAndGet();
        LONGEST.accumulateAndGet((System.nanoTime() - start) / 1_000_000, Math::max);
    }

    private static void check(Session session, HttpResponse<String> response) {
        response.headers().firstValue("set-cookie").ifPresent(cookie -> session.cookie = cookie.split(";")[0]);
        String[] words = response.body().trim().split("\\s+");
        if (words.length != 3) { // mod_jk tries again after a partial answer, and may then pass on both
            error("not one answer but " + response.body().trim(), session);
            return;
        }
        String id = words[1].split("\\.")[0];
        long count = Long.parseLong(words[2]);
        if (session.id != null && (!id.equals(session.id) || count <= session.count)) {
            LOST.incrementAndGet();
            long before = (System.nanoTime() - session.answered) / 1_000_000;
            tell("lost: " + session.id + " was at " + session.count + " " + before + " ms before, got "
                    + response.body().trim());
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
