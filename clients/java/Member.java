import com.google.gson.JsonObject;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/** A consumer that reports what it gets. Its number tells the members of one process apart. */
final class Member implements ConsumerRebalanceListener {
    private static final Duration POLL = Duration.ofMillis(50);

    final KafkaConsumer<String, String> consumer;
    private final int number;
    private final boolean commitsOnRevoke;
    private final boolean commitsEachPoll;
    /** For each partition, the offset after the last record that the application has got. */
    private final Map<TopicPartition, Long> following = new HashMap<>();
    private final Set<TopicPartition> uncommitted = new HashSet<>();
    private String lastError;
    private Set<TopicPartition> reportedAssignment;

    Member(Map<String, Object> settings, JsonObject options, List<String> topics, int number) {
        this.number = number;
        commitsOnRevoke = options.get("commit_on_revoke").getAsBoolean();
        commitsEachPoll = options.get("commit_each_poll").getAsBoolean();
        consumer = new KafkaConsumer<>(settings);
        consumer.subscribe(topics, this);
    }

    /** Polls once and tells what came. */
    void poll() {
        List<List<Object>> records = new ArrayList<>();
        try {
            for (ConsumerRecord<String, String> record : consumer.poll(POLL)) {
                records.add(List.of(record.topic(), record.partition(), record.offset(), record.value(), nowS()));
                TopicPartition partition = new TopicPartition(record.topic(), record.partition());
                following.put(partition, record.offset() + 1);
                uncommitted.add(partition);
            }
        } catch (Exception thrown) { // whatever the client throws is what the test wants to know
            tellFailure(thrown);
            rest();
        }
        if (!records.isEmpty()) {
            tell("records", "records", records);
        }
        Set<TopicPartition> assignment = Set.copyOf(consumer.assignment());
        if (!assignment.equals(reportedAssignment)) {
            reportedAssignment = assignment;
            tell("assignment", "partitions", pairs(assignment));
        }
        if (commitsEachPoll && !uncommitted.isEmpty()) {
            commitWhatWasGot();
        }
    }

    void commit(Map<TopicPartition, Long> offsets) {
        Map<TopicPartition, OffsetAndMetadata> committing = new HashMap<>();
        offsets.forEach((partition, offset) -> committing.put(partition, new OffsetAndMetadata(offset)));
        consumer.commitSync(committing);
    }

    /** The committed offset, or null. */
    Long committed(TopicPartition partition) {
        // The client answers this with the OffsetFetch that is under way, if there is one, which may be older than the last commit.
        consumer.committed(Set.of(partition));
        OffsetAndMetadata committed = consumer.committed(Set.of(partition)).get(partition);
        return committed == null ? null : (Long) committed.offset();
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        tell("assigned", "partitions", pairs(partitions));
    }

    /** Also when partitions are lost, as the interface has it unless it is told otherwise; then a commit is too late. */
    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        tell("revoked", "partitions", pairs(partitions));
        // Forgotten with that: if they come back, others have read on meanwhile.
        Map<TopicPartition, Long> offsets = new HashMap<>(following);
        offsets.keySet().retainAll(partitions);
        following.keySet().removeAll(offsets.keySet());
        uncommitted.removeAll(partitions);
        if (offsets.isEmpty() || !commitsOnRevoke) {
            return;
        }
        try {
            commit(offsets);
        } catch (Exception thrown) {
            tellFailure(thrown);
        }
    }

    private void commitWhatWasGot() {
        Map<TopicPartition, Long> offsets = new HashMap<>(following);
        offsets.keySet().retainAll(uncommitted);
        try {
            commit(offsets);
        } catch (Exception thrown) { // tried again after the next poll, unless the partitions are gone by then
            tellFailure(thrown);
            return;
        }
        // The time is that of the answer: what is read later than that is read after the commit.
        List<List<Object>> told = new ArrayList<>();
        offsets.forEach((partition, offset) -> told.add(List.of(pair(partition), offset)));
        tell("committed", "offsets", told, "at", nowS());
        uncommitted.clear();
    }

    private void tellFailure(Exception failure) {
        String text = String.valueOf(failure.getMessage());
        if (!text.equals(lastError)) { // some are thrown at every poll
            failure.printStackTrace();
        }
        lastError = text;
        tell("error", "kind", ClientProcess.kind(failure), "text", text);
    }

    /** As long as a poll may take: one that fails may fail at once, and again and again. */
    private static void rest() {
        try {
            Thread.sleep(POLL.toMillis());
        } catch (InterruptedException nobodyInterrupts) {
            Thread.currentThread().interrupt();
        }
    }

    private void tell(String event, Object... report) {
        List<Object> all = new ArrayList<>(List.of("event", event, "member", number));
        all.addAll(List.of(report));
        ClientProcess.tell(all.toArray());
    }

    /** On the clock that all processes of a machine share, Python's time.monotonic. */
    private static double nowS() {
        return System.nanoTime() / 1e9;
    }

    private static List<Object> pair(TopicPartition partition) {
        return List.of(partition.topic(), partition.partition());
    }

    private static List<List<Object>> pairs(Collection<TopicPartition> partitions) {
        List<TopicPartition> sorted = new ArrayList<>(partitions);
        sorted.sort(Comparator.comparing(TopicPartition::topic).thenComparing(TopicPartition::partition));
        List<List<Object>> pairs = new ArrayList<>();
        sorted.forEach(partition -> pairs.add(pair(partition)));
        return pairs;
    }
}
