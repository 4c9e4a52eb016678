package matrix.clients;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import matrix.Broker;
import matrix.Topics;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.junit.jupiter.api.Test;

/** What is written in a transaction is there as a whole, or not at all. */
class TransactionsTest {
    @Test
    void transactionsAreSeenWhenTheyAreCommitted() throws Exception {
        String topic = Topics.create(2);
        try (KafkaProducer<String, String> producer = transactional(Broker.fresh("transaction"))) {
            producer.beginTransaction();
            sendToBoth(producer, topic, "committed");
            producer.commitTransaction();
            producer.beginTransaction();
            sendToBoth(producer, topic, "aborted");
            producer.flush();
            producer.abortTransaction();
        }
        assertEquals(values("committed"), read(topic, "read_committed"));
        assertEquals(Stream.concat(values("aborted").stream(), values("committed").stream()).toList(), read(topic, "read_uncommitted"));
    }

    @Test
    void transactionsOfACopierMoveItsOffsets() throws Exception {
        String from = Topics.create(1);
        String to = Topics.create(1);
        try (KafkaProducer<String, String> producer = Clients.producer(Map.of())) {
            IntStream.range(0, 20).forEach(number -> producer.send(new ProducerRecord<>(from, "value-" + (10 + number))));
        }
        TopicPartition source = new TopicPartition(from, 0);
        Map<String, Object> settings = Map.of("group.id", Broker.fresh("group"), "auto.offset.reset", "earliest",
            "enable.auto.commit", false, "max.poll.records", 10, "isolation.level", "read_committed");
        try (KafkaConsumer<String, String> consumer = Clients.consumer(settings);
                KafkaProducer<String, String> producer = transactional(Broker.fresh("transaction"))) {
            consumer.subscribe(List.of(from));
            copy(consumer, producer, to);
            producer.commitTransaction();
            assertEquals(10, consumer.committed(Set.of(source)).get(source).offset());
            copy(consumer, producer, to);
            producer.abortTransaction();
            assertEquals(10, consumer.committed(Set.of(source)).get(source).offset());
        }
        assertEquals(IntStream.range(0, 10).mapToObj(number -> "value-" + (10 + number)).toList(), read(to, "read_committed"));
    }

    @Test
    void transactionsFenceTheProducerBefore() throws Exception {
        String topic = Topics.create(2);
        String id = Broker.fresh("transaction");
        try (KafkaProducer<String, String> first = transactional(id)) {
            first.beginTransaction();
            sendToBoth(first, topic, "first");
            first.flush();
            try (KafkaProducer<String, String> second = transactional(id)) {
                assertThrows(ProducerFencedException.class, first::commitTransaction);
                second.beginTransaction();
                sendToBoth(second, topic, "second");
                second.commitTransaction();
            }
        }
        assertEquals(values("second"), read(topic, "read_committed"));
    }

    private static KafkaProducer<String, String> transactional(String id) {
        KafkaProducer<String, String> producer = Clients.producer(Map.of("transactional.id", id));
        producer.initTransactions();
        return producer;
    }

    /** Begins a transaction with the next ten records and their offsets. */
    private static void copy(KafkaConsumer<String, String> consumer, KafkaProducer<String, String> producer, String to) {
        ConsumerRecords<String, String> records = ConsumerRecords.empty();
        while (records.isEmpty()) {
            records = consumer.poll(Duration.ofSeconds(1));
        }
        assertEquals(10, records.count());
        producer.beginTransaction();
        OffsetAndMetadata next = null;
        TopicPartition partition = null;
        for (ConsumerRecord<String, String> record : records) {
            producer.send(new ProducerRecord<>(to, record.value()));
            partition = new TopicPartition(record.topic(), record.partition());
            next = new OffsetAndMetadata(record.offset() + 1);
        }
        producer.sendOffsetsToTransaction(Map.of(partition, next), consumer.groupMetadata());
    }

    private static void sendToBoth(KafkaProducer<String, String> producer, String topic, String what) {
        for (int number = 0; number < 10; number++) {
            producer.send(new ProducerRecord<>(topic, number % 2, null, what + "-" + number));
        }
    }

    private static List<String> values(String what) {
        return IntStream.range(0, 10).mapToObj(number -> what + "-" + number).toList();
    }

    private static List<String> read(String topic, String isolation) {
        StringDeserializer strings = new StringDeserializer();
        return Topics.readAll(topic, strings, strings, Map.of("isolation.level", isolation)).stream()
            .map(ConsumerRecord::value).sorted().toList();
    }
}
