package matrix;

import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.function.Predicate;

/** Waiting for what another process does, with a deadline. */
public final class Eventually {
    private static final Duration DEADLINE = Duration.ofSeconds(45);
    private static final Duration BETWEEN_LOOKS = Duration.ofMillis(20);

    private Eventually() {}

    /** Looks until what it sees is as wanted, and returns that. */
    public static <T> T see(String what, Callable<T> look, Predicate<T> wanted) throws Exception {
        long deadline = System.nanoTime() + DEADLINE.toNanos();
        while (true) {
            T seen = look.call();
            if (wanted.test(seen)) {
                return seen;
            }
            if (System.nanoTime() > deadline) {
                throw new AssertionError("not within " + DEADLINE.toSeconds() + " s: " + what + "; last seen: " + seen);
            }
            Thread.sleep(BETWEEN_LOOKS.toMillis());
        }
    }

    /** Waits until it is so. */
    public static void isTrue(String what, Callable<Boolean> look) throws Exception {
        see(what, look, seen -> seen);
    }
}
