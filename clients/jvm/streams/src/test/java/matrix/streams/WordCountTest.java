package matrix.streams;

import static java.util.stream.Collectors.groupingBy;
import static java.util.stream.Collectors.mapping;
import static java.util.stream.Collectors.toList;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.LongStream;
import matrix.Broker;
import matrix.Eventually;
import matrix.JavaProcess;
import matrix.Topics;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An application counts words in a process of its own. */
class WordCountTest {
    private static final int KILLS = Integer.parseInt(System.getenv().getOrDefault("STREAMS_KILLS", "2"));

    @TempDir
    private Path folder;
    private final String application = Broker.fresh("word-count");
    private String lines;
    private String counts;

    @BeforeEach
    void topics() throws Exception {
        lines = Topics.create(2);
        counts = Topics.create(2);
    }

    @Test
    void streamsWordCount() throws Exception {
        Lines sent = new Lines(lines);
        try (JavaProcess process = start("first")) {
            sent.send(50);
            countsBecome(sent.words(), process);
        }
        String changelog = application + "-counts-changelog";
        try (Admin admin = Topics.admin()) {
            assertTrue(admin.listTopics().names().get().containsAll(Set.of(changelog, application + "-words-repartition")));
            ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, changelog);
            assertEquals("compact", admin.describeConfigs(List.of(resource)).all().get().get(resource).get("cleanup.policy").value());
        }
        // A new folder: it has to take its state out of the changelog.
        try (JavaProcess process = start("second")) {
            sent.send(50);
            countsBecome(sent.words(), process);
        }
        sent.close();
    }

    @Test
    void streamsExactlyOnce() throws Exception {
        Lines sent = new Lines(lines);
        try (JavaProcess process = start("state")) {
            sent.sendUntilClosed();
            for (int kill = 0; kill < KILLS; kill++) {
                moreIsCounted(process);
                Broker.restart();
            }
            moreIsCounted(process);
            sent.close();
            countsBecome(sent.words(), process);
        }
        assertEquals(upTo(sent.words()), told(), "each count of each word is told once, in order");
    }

    private JavaProcess start(String state) throws IOException {
        return new JavaProcess(folder.resolve("log"), WordCount.class.getName(),
            Broker.BOOTSTRAP, application, lines, counts, folder.resolve(state).toString());
    }

    private void moreIsCounted(JavaProcess process) throws Exception {
        long before = total();
        Eventually.isTrue("more is counted", () -> process.isRunning() && total() >= before + 200);
    }

    private long total() {
        return told().values().stream().mapToLong(List::size).sum();
    }

    private void countsBecome(Map<String, Long> wanted, JavaProcess process) throws Exception {
        Eventually.see("the last counts are right", () -> last(process), wanted::equals);
    }

    private Map<String, Long> last(JavaProcess process) throws IOException {
        process.isRunning();
        Map<String, Long> last = new TreeMap<>();
        told().forEach((word, counted) -> last.put(word, counted.get(counted.size() - 1)));
        return last;
    }

    /** All counts that were told of each word, in order. A word's counts lie in one partition. */
    private Map<String, List<Long>> told() {
        List<ConsumerRecord<String, Long>> read =
            Topics.readAll(counts, new StringDeserializer(), new LongDeserializer(), Map.of("isolation.level", "read_committed"));
        return read.stream().collect(groupingBy(ConsumerRecord::key, TreeMap::new, mapping(ConsumerRecord::value, toList())));
    }

    private static Map<String, List<Long>> upTo(Map<String, Long> last) {
        Map<String, List<Long>> all = new TreeMap<>();
        last.forEach((word, count) -> all.put(word, LongStream.rangeClosed(1, count).boxed().toList()));
        return all;
    }
}
