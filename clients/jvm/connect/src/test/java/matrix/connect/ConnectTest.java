package matrix.connect;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import matrix.Broker;
import matrix.Eventually;
import matrix.JavaProcess;
import matrix.Topics;
import org.apache.kafka.connect.cli.ConnectStandalone;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Workers copy the lines of one file through a topic to another. */
class ConnectTest {
    @TempDir
    private Path folder;
    private Path from;
    private Path to;
    private String topic;
    private Map<String, String> source;
    private Map<String, String> sink;

    @BeforeEach
    void connectors() throws Exception {
        topic = Topics.create(1);
        from = folder.resolve("from.txt");
        to = folder.resolve("to.txt");
        source = Map.of("name", Broker.fresh("source"), "connector.class", "FileStreamSource", "file", from.toString(), "topic", topic);
        sink = Map.of("name", Broker.fresh("sink"), "connector.class", "FileStreamSink", "file", to.toString(), "topics", topic);
    }

    @Test
    void connectStandalone() throws Exception {
        append(0, 100);
        try (JavaProcess worker = standalone()) {
            copies(100, worker);
        }
        append(100, 150);
        try (JavaProcess worker = standalone()) {
            copies(150, worker);
        }
        assertEquals(lines(150), Files.readAllLines(to));
        assertEquals(150, Workers.committed("connect-" + sink.get("name"), topic));
    }

    @Test
    void connectDistributed() throws Exception {
        Workers workers = new Workers(folder);
        append(0, 100);
        try (Worker first = workers.start(); Worker second = workers.start()) {
            first.create(source);
            first.create(sink);
            Eventually.see("both workers know both connectors", second::connectors, Set.of(source.get("name"), sink.get("name"))::equals);
            copies(100, first.process());
            Eventually.see("the work is shared", () -> first.tasks(sink, source), Map.of(first.name(), 1L, second.name(), 1L)::equals);
            assertEquals("connect", workers.protocolOfTheGroup());
            Eventually.isTrue("the sink has committed", () -> Workers.committed("connect-" + sink.get("name"), topic) == 100);
            Eventually.isTrue("the source has kept how far it has read", () -> !workers.keptOffsets().isEmpty());

            second.process().kill();
            append(100, 150);
            copies(150, first.process());
            Eventually.see("the other has it all", () -> first.tasks(sink, source), Map.of(first.name(), 2L)::equals);
        }
        workers.topicsAreCompacted();
    }

    private JavaProcess standalone() throws IOException {
        Path worker = properties("worker", Map.of(
            "bootstrap.servers", Broker.BOOTSTRAP,
            "listeners", "http://127.0.0.1:0",
            "key.converter", "org.apache.kafka.connect.storage.StringConverter",
            "value.converter", "org.apache.kafka.connect.storage.StringConverter",
            "offset.storage.file.filename", folder.resolve("offsets").toString(),
            "offset.flush.interval.ms", "500"));
        return new JavaProcess(folder.resolve("worker.log"), ConnectStandalone.class.getName(),
            worker.toString(), properties("source", source).toString(), properties("sink", sink).toString());
    }

    private Path properties(String name, Map<String, String> properties) throws IOException {
        Path file = folder.resolve(name + ".properties");
        return Files.write(file, properties.entrySet().stream().map(entry -> entry.getKey() + "=" + entry.getValue()).toList());
    }

    private void append(int first, int end) throws IOException {
        Files.write(from, lines(end).subList(first, end), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    private void copies(int count, JavaProcess worker) throws Exception {
        Eventually.isTrue("so many lines are copied: " + count,
            () -> worker.isRunning() && Files.exists(to) && Set.copyOf(Files.readAllLines(to)).size() == count);
    }

    private static List<String> lines(int count) {
        return IntStream.range(0, count).mapToObj(number -> "line " + number).toList();
    }
}
