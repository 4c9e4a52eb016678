package matrix.clients;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import matrix.Broker;
import matrix.Topics;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.NoOffsetForPartitionException;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A group goes on where it has committed, and begins where it is told. */
class CommitTest {
    private String topic;
    private TopicPartition partition;

    @BeforeEach
    void aTopicWithAHundredRecords() throws Exception {
        topic = Topics.create(1);
        partition = new TopicPartition(topic, 0);
        send(0, 100);
    }

    @Test
    void commitResume() {
        String group = Broker.fresh("group");
        try (KafkaConsumer<String, String> first = member(group, "earliest", 50)) {
            assertEquals(values(0, 50), read(first, 50));
            first.commitSync(Map.of(partition, new OffsetAndMetadata(50, "half of it")));
        }
        try (KafkaConsumer<String, String> second = member(group, "earliest", 500)) {
            OffsetAndMetadata committed = second.committed(Set.of(partition)).get(partition);
            assertEquals(50, committed.offset());
            assertEquals("half of it", committed.metadata());
            assertEquals(values(50, 100), read(second, 50));
        }
    }

    @Test
    void commitResumeWithResetEarliest() {
        try (KafkaConsumer<String, String> member = member(Broker.fresh("group"), "earliest", 500)) {
            assertEquals(values(0, 100), read(member, 100));
        }
    }

    @Test
    void commitResumeWithResetLatest() throws Exception {
        try (KafkaConsumer<String, String> member = member(Broker.fresh("group"), "latest", 500)) {
            while (member.assignment().isEmpty()) {
                assertEquals(0, member.poll(Duration.ofMillis(100)).count());
            }
            assertEquals(100, member.position(partition));
            send(100, 110);
            assertEquals(values(100, 110), read(member, 10));
        }
    }

    @Test
    void commitResumeWithResetNone() {
        try (KafkaConsumer<String, String> member = member(Broker.fresh("group"), "none", 500)) {
            assertThrows(NoOffsetForPartitionException.class, () -> read(member, 1));
        }
    }

    private KafkaConsumer<String, String> member(String group, String reset, int maxPollRecords) {
        KafkaConsumer<String, String> member = Clients.consumer(Map.of(
            "group.id", group, "auto.offset.reset", reset, "enable.auto.commit", false, "max.poll.records", maxPollRecords));
        member.subscribe(List.of(topic));
        return member;
    }

    private static List<String> read(KafkaConsumer<String, String> member, int count) {
        List<String> values = new ArrayList<>();
        long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        while (values.size() < count && System.nanoTime() < deadline) {
            for (ConsumerRecord<String, String> record : member.poll(Duration.ofMillis(200))) {
                values.add(record.value());
            }
        }
        return values;
    }

    private void send(int from, int to) throws Exception {
        try (KafkaProducer<String, String> producer = Clients.producer(Map.of())) {
            values(from, to).forEach(value -> producer.send(new ProducerRecord<>(topic, 0, null, value)));
        }
    }

    private static List<String> values(int from, int to) {
        return IntStream.range(from, to).mapToObj(number -> "value-" + number).toList();
    }
}
