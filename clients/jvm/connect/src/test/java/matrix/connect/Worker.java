package matrix.connect;

import static java.util.stream.Collectors.counting;
import static java.util.stream.Collectors.groupingBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import matrix.Eventually;
import matrix.JavaProcess;

/** One worker, which is spoken to over HTTP. */
final class Worker implements AutoCloseable {
    private static final Pattern ADVERTISED = Pattern.compile("Advertised URI: http://(127\\.0\\.0\\.1:\\d+)/");
    private static final ObjectMapper JSON = new ObjectMapper();

    private final HttpClient http = HttpClient.newHttpClient();
    private final JavaProcess process;
    private final String name;

    /** Waits until the worker has told its address and answers there. */
    Worker(JavaProcess process, Path log) throws Exception {
        this.process = process;
        Eventually.isTrue("the worker tells its address", () -> process.isRunning() && ADVERTISED.matcher(Files.readString(log)).find());
        Matcher told = ADVERTISED.matcher(Files.readString(log));
        told.find();
        name = told.group(1);
        Eventually.isTrue("the worker has joined its group", () -> process.isRunning() && get("/connectors").statusCode() == 200);
    }

    /** HOST:PORT, which is what workers call each other. */
    String name() {
        return name;
    }

    JavaProcess process() {
        return process;
    }

    void create(Map<String, String> connector) throws Exception {
        String body = JSON.writeValueAsString(Map.of("name", connector.get("name"), "config", connector));
        HttpRequest request = HttpRequest.newBuilder(uri("/connectors")).header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(body)).build();
        // A worker that is about to rebalance with its group answers 409: ask again.
        Eventually.see("the connector is created", () -> http.send(request, HttpResponse.BodyHandlers.ofString()).statusCode(), code -> code == 201);
    }

    Set<String> connectors() throws Exception {
        Set<String> names = new HashSet<>();
        JSON.readTree(get("/connectors").body()).forEach(connector -> names.add(connector.asText()));
        return names;
    }

    /** How many of the connectors' tasks run on each worker. */
    @SafeVarargs
    final Map<String, Long> tasks(Map<String, String>... connectors) throws Exception {
        List<String> workers = new ArrayList<>();
        for (Map<String, String> connector : connectors) {
            JsonNode status = JSON.readTree(get("/connectors/" + connector.get("name") + "/status").body());
            for (JsonNode task : status.path("tasks")) {
                if (task.path("state").asText().equals("RUNNING")) {
                    workers.add(task.path("worker_id").asText());
                }
            }
        }
        return workers.stream().collect(groupingBy(worker -> worker, counting()));
    }

    private HttpResponse<String> get(String path) throws IOException, InterruptedException {
        return http.send(HttpRequest.newBuilder(uri(path)).build(), HttpResponse.BodyHandlers.ofString());
    }

    private URI uri(String path) {
        return URI.create("http://" + name + path);
    }

    @Override
    public void close() throws InterruptedException {
        process.close();
    }
}
