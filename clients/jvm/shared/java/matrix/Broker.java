package matrix;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.UUID;

/** The broker that the driver of the matrix has started for this run. */
public final class Broker {
    /** HOST:PORT. */
    public static final String BOOTSTRAP = environment("BROKER_BOOTSTRAP");

    private Broker() {}

    /** Kills the broker with SIGKILL and returns when it serves requests again, on the same port and data. */
    public static void restart() throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(environment("BROKER_CONTROL") + "/restart"))
            .POST(HttpRequest.BodyPublishers.noBody())
            .timeout(Duration.ofSeconds(60))
            .build();
        HttpResponse<String> answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
            throw new IOException("the broker did not come back: " + answer.body());
        }
    }

    /** A name for a topic, a group or the like that nothing else has, in this run or another. */
    public static String fresh(String what) {
        return what + "-" + UUID.randomUUID().toString().substring(0, 8);
    }

    private static String environment(String name) {
        String value = System.getenv(name);
        if (value == null) {
            throw new IllegalStateException(name + " is not set: clients/matrix/run sets it");
        }
        return value;
    }
}
