import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;

/**
 * One Java client in a process of its own: {@code ClientProcess PROTOCOL BOOTSTRAP}, where the protocol is classic or consumer.
 *
 * <p>It takes the commands and makes the reports of clients/python/client_process.py, which says what they mean: one JSON object per line on
 * stdin and stdout. A consumer belongs to one thread, so commands are carried out between two polls.
 */
public final class ClientProcess {
    private static final Gson JSON = new GsonBuilder().serializeNulls().disableHtmlEscaping().create();
    private static final PrintStream OUTPUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    private static final JsonObject END = new JsonObject();

    private final String protocol;
    private final String bootstrap;
    private final LinkedBlockingQueue<JsonObject> commands = new LinkedBlockingQueue<>();
    private final Map<String, KafkaProducer<String, String>> producers = new HashMap<>();
    private Member member;
    private boolean isPolling;
    private Administrator administrator;

    private ClientProcess(String protocol, String bootstrap) {
        this.protocol = protocol;
        this.bootstrap = bootstrap;
    }

    public static void main(String[] arguments) throws Exception {
        new ClientProcess(arguments[0], arguments[1]).run();
        // Without a goodbye to the group where there was none: clients that are still open end with the process.
        Runtime.getRuntime().halt(0);
    }

    /** One line to the test: names and values in turn. Listeners and members of a crowd may come from other threads. */
    static void tell(Object... report) {
        Map<String, Object> object = new LinkedHashMap<>();
        for (int at = 0; at < report.length; at += 2) {
            object.put((String) report[at], report[at + 1]);
        }
        String line = JSON.toJson(object);
        synchronized (OUTPUT) {
            OUTPUT.print(line + "\n");
            OUTPUT.flush();
        }
    }

    /** The client's own name for what went wrong. */
    static String kind(Throwable error) {
        return error.getClass().getSimpleName();
    }

    private void run() throws InterruptedException {
        Thread reader = new Thread(this::readCommands);
        reader.setDaemon(true);
        reader.start();
        tell("event", "ready", "no_policy", "none",
            "errors", Map.of("no committed offset", "NoOffsetForPartitionException", "offset out of range", "OffsetOutOfRangeException"),
            "capabilities", Map.of("cooperative", true, "delete_records", true, "delete_group_offsets", true));
        while (true) {
            JsonObject command = isPolling ? commands.poll() : commands.take();
            if (command == END) {
                return;
            } else if (command == null) {
                member.poll();
            } else {
                answer(command);
            }
        }
    }

    private void readCommands() {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                commands.add(JsonParser.parseString(line).getAsJsonObject());
            }
        } catch (IOException closed) {
            closed.printStackTrace();
        }
        commands.add(END);
    }

    private void answer(JsonObject command) {
        int number = command.get("number").getAsInt();
        try {
            tell("reply", number, "value", carryOut(command.get("do").getAsString(), command));
        } catch (Exception thrown) { // whatever the client throws is the answer
            boolean isWrapped = thrown instanceof ExecutionException || thrown instanceof CompletionException;
            Throwable error = isWrapped ? thrown.getCause() : thrown;
            error.printStackTrace();
            tell("reply", number, "error", kind(error), "text", String.valueOf(error.getMessage()));
        }
    }

    private Object carryOut(String operation, JsonObject given) throws Exception {
        switch (operation) {
            case "consumer" -> {
                member = newMember(given, 0);
                isPolling = true;
            }
            case "crowd" -> joinCrowd(given);
            case "stop_polling" -> isPolling = false;
            case "poll_again" -> isPolling = true;
            case "pause" -> member.consumer.pause(List.of(partition(given.get("partition"))));
            case "resume" -> member.consumer.resume(List.of(partition(given.get("partition"))));
            case "seek" -> member.consumer.seek(partition(given.get("partition")), given.get("offset").getAsLong());
            case "commit" -> member.commit(offsets(given.getAsJsonArray("offsets")));
            case "committed" -> {
                return member.committed(partition(given.get("partition")));
            }
            case "close" -> {
                isPolling = false;
                member.consumer.close();
            }
            case "produce" -> {
                return produce(given);
            }
            case "admin" -> {
                administrator = administrator == null ? new Administrator(bootstrap) : administrator;
                administrator.call(given.get("call").getAsString(), given.getAsJsonArray("arguments"));
            }
            default -> throw new IllegalArgumentException("no such command: " + operation);
        }
        return null;
    }

    private Member newMember(JsonObject given, int number) {
        List<String> topics = strings(given.getAsJsonArray("topics"));
        return new Member(Settings.consumer(protocol, bootstrap, given.getAsJsonObject("options")), given.getAsJsonObject("options"), topics, number);
    }

    /** So many members, each polled by a thread of its own, until the process is killed. */
    private void joinCrowd(JsonObject given) {
        for (int number = 0; number < given.get("count").getAsInt(); number++) {
            int own = number;
            Thread thread = new Thread(() -> {
                Member one = newMember(given, own);
                while (true) {
                    one.poll();
                }
            });
            thread.setDaemon(true);
            thread.start();
        }
    }

    /** Sends all values as one batch; returns their offsets once all are acknowledged. */
    private List<Long> produce(JsonObject given) throws Exception {
        KafkaProducer<String, String> producer = producers.computeIfAbsent(
            given.get("codec").getAsString(), codec -> new KafkaProducer<>(Settings.producer(bootstrap, codec)));
        String topic = given.get("topic").getAsString();
        int partition = given.get("partition").getAsInt();
        Long timestampMs = given.get("timestamp_ms").isJsonNull() ? null : (Long) given.get("timestamp_ms").getAsLong();
        List<String> values = strings(given.getAsJsonArray("values"));
        List<String> keys = given.get("keys").isJsonNull() ? null : strings(given.getAsJsonArray("keys"));
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (int at = 0; at < values.size(); at++) {
            String key = keys == null ? null : keys.get(at);
            sent.add(producer.send(new ProducerRecord<>(topic, partition, timestampMs, key, values.get(at))));
        }
        producer.flush();
        List<Long> offsets = new ArrayList<>();
        for (Future<RecordMetadata> future : sent) {
            offsets.add(future.get(30, TimeUnit.SECONDS).offset());
        }
        return offsets;
    }

    /** What a test writes as [topic, number]. */
    static TopicPartition partition(JsonElement pair) {
        return new TopicPartition(pair.getAsJsonArray().get(0).getAsString(), pair.getAsJsonArray().get(1).getAsInt());
    }

    private static Map<TopicPartition, Long> offsets(JsonArray pairs) {
        Map<TopicPartition, Long> offsets = new HashMap<>();
        for (JsonElement pair : pairs) {
            offsets.put(partition(pair.getAsJsonArray().get(0)), pair.getAsJsonArray().get(1).getAsLong());
        }
        return offsets;
    }

    private static List<String> strings(JsonArray array) {
        List<String> strings = new ArrayList<>();
        for (JsonElement element : array) {
            strings.add(element.isJsonNull() ? null : element.getAsString());
        }
        return strings;
    }
}
