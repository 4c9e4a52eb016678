package matrix.clients;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.stream.Collectors.toMap;
import static java.util.stream.Collectors.toSet;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import matrix.Topics;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is in a record comes back, however it was sent. */
class RecordsTest {
    private static final StringDeserializer STRINGS = new StringDeserializer();
    private static final ByteArrayDeserializer BYTES = new ByteArrayDeserializer();

    @ParameterizedTest
    @ValueSource(strings = {"none", "gzip", "snappy", "lz4", "zstd"})
    void produceCodecs(String codec) throws Exception {
        String topic = Topics.create(3);
        Set<String> sent = new HashSet<>();
        try (KafkaProducer<String, String> producer = Clients.producer(Map.of("compression.type", codec, "acks", "all"))) {
            List<Future<RecordMetadata>> acknowledgements = new ArrayList<>();
            for (int number = 0; number < 100; number++) {
                String key = "key-" + number % 20;
                String value = "value-" + number + "-" + "x".repeat(200);
                sent.add(key + "=" + value);
                acknowledgements.add(producer.send(new ProducerRecord<>(topic, key, value)));
            }
            for (Future<RecordMetadata> acknowledgement : acknowledgements) {
                acknowledgement.get();
            }
        }
        List<ConsumerRecord<String, String>> read = Topics.readAll(topic, STRINGS, STRINGS, Map.of());
        assertEquals(100, read.size());
        assertEquals(sent, read.stream().map(record -> record.key() + "=" + record.value()).collect(toSet()));
        assertEquals(20, read.stream().map(record -> record.key() + " in " + record.partition()).distinct().count());
        assertEquals(3, read.stream().map(ConsumerRecord::partition).distinct().count());
    }

    @Test
    void produceIdempotent() throws Exception {
        String topic = Topics.create(1);
        List<Future<RecordMetadata>> acknowledgements = new ArrayList<>();
        // Small batches, so that several are under way at the same time.
        try (KafkaProducer<String, String> producer = Clients.producer(Map.of("enable.idempotence", true, "batch.size", 500))) {
            for (int number = 0; number < 1_000; number++) {
                acknowledgements.add(producer.send(new ProducerRecord<>(topic, null, "value-" + number)));
            }
        }
        List<Long> acknowledged = new ArrayList<>();
        for (Future<RecordMetadata> acknowledgement : acknowledgements) {
            acknowledged.add(acknowledgement.get().offset());
        }
        List<ConsumerRecord<String, String>> read = Topics.readAll(topic, STRINGS, STRINGS, Map.of());
        List<Long> offsets = LongStream.range(0, 1_000).boxed().toList();
        assertEquals(offsets, acknowledged);
        assertEquals(offsets, read.stream().map(ConsumerRecord::offset).toList());
        assertEquals(IntStream.range(0, 1_000).mapToObj(number -> "value-" + number).toList(), read.stream().map(ConsumerRecord::value).toList());
    }

    @Test
    void largeMessages() throws Exception {
        String ordinary = Topics.create(1);
        String roomy = Topics.create(1, Map.of("max.message.bytes", "5000000"));
        try (KafkaProducer<String, String> producer = Clients.producer(Map.of("max.request.size", 10_000_000))) {
            producer.send(new ProducerRecord<>(ordinary, "a".repeat(900_000))).get();
            Future<RecordMetadata> tooLarge = producer.send(new ProducerRecord<>(ordinary, "b".repeat(1_100_000)));
            assertInstanceOf(RecordTooLargeException.class, assertThrows(ExecutionException.class, tooLarge::get).getCause());
            producer.send(new ProducerRecord<>(roomy, "c".repeat(4_000_000))).get();
            Future<RecordMetadata> tooLargeForRoomy = producer.send(new ProducerRecord<>(roomy, "d".repeat(5_100_000)));
            assertInstanceOf(RecordTooLargeException.class, assertThrows(ExecutionException.class, tooLargeForRoomy::get).getCause());
        }
        Map<String, Object> smallFetches = Map.of("fetch.max.bytes", 100_000, "max.partition.fetch.bytes", 50_000);
        // Not assertEquals: nobody wants to be told megabytes.
        assertTrue(holdsOnly(ordinary, "a".repeat(900_000), smallFetches));
        assertTrue(holdsOnly(roomy, "c".repeat(4_000_000), smallFetches));
    }

    @Test
    void headersTombstones() throws Exception {
        String topic = Topics.create(1);
        byte[] binary = {0, (byte) 0xff, (byte) 0x80, 10};
        Map<String, Object> settings = Clients.withBroker(Map.of());
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            ProducerRecord<byte[], byte[]> withHeaders = new ProducerRecord<>(topic, "k".getBytes(UTF_8), "v".getBytes(UTF_8));
            withHeaders.headers().add("binary", binary).add("empty", new byte[0]).add("null", null)
                .add("twice", new byte[] {1}).add("twice", new byte[] {2});
            producer.send(withHeaders);
            producer.send(new ProducerRecord<>(topic, "tombstone".getBytes(UTF_8), null));
            producer.send(new ProducerRecord<>(topic, null, "no key".getBytes(UTF_8)));
            producer.send(new ProducerRecord<>(topic, "empty".getBytes(UTF_8), new byte[0]));
        }
        List<ConsumerRecord<byte[], byte[]>> read = Topics.readAll(topic, BYTES, BYTES, Map.of());
        assertEquals(4, read.size());
        Header[] headers = read.get(0).headers().toArray();
        assertEquals(List.of("binary", "empty", "null", "twice", "twice"), Stream.of(headers).map(Header::key).toList());
        byte[][] sent = {binary, new byte[0], null, {1}, {2}};
        assertArrayEquals(sent, Stream.of(headers).map(Header::value).toArray());
        assertNull(read.get(1).value());
        assertArrayEquals("tombstone".getBytes(UTF_8), read.get(1).key());
        assertNull(read.get(2).key());
        assertArrayEquals("no key".getBytes(UTF_8), read.get(2).value());
        assertArrayEquals(new byte[0], read.get(3).value());
    }

    @Test
    void timestampsOfTheProducer() throws Exception {
        String topic = Topics.create(1);
        TopicPartition partition = new TopicPartition(topic, 0);
        long first = Instant.parse("2024-02-29T12:00:00Z").toEpochMilli();
        try (KafkaProducer<String, String> producer = Clients.producer(Map.of())) {
            for (int number = 0; number < 10; number++) {
                producer.send(new ProducerRecord<>(topic, 0, first + 1_000L * number, null, "value-" + number)).get();
            }
        }
        Map<Long, Long> byOffset = Topics.readAll(topic, STRINGS, STRINGS, Map.of()).stream()
            .collect(toMap(ConsumerRecord::offset, ConsumerRecord::timestamp));
        assertEquals(LongStream.range(0, 10).boxed().collect(toMap(offset -> offset, offset -> first + 1_000 * offset)), byOffset);
        try (KafkaConsumer<String, String> consumer = Clients.consumer(Map.of())) {
            OffsetAndTimestamp between = consumer.offsetsForTimes(Map.of(partition, first + 3_500)).get(partition);
            assertNotNull(between);
            assertEquals(4, between.offset());
            assertEquals(first + 4_000, between.timestamp());
            assertEquals(0, consumer.offsetsForTimes(Map.of(partition, 0L)).get(partition).offset());
            assertNull(consumer.offsetsForTimes(Map.of(partition, first + 9_001)).get(partition));
        }
    }

    @Test
    void timestampsOfTheBroker() throws Exception {
        String topic = Topics.create(1, Map.of("message.timestamp.type", "LogAppendTime"));
        long before = System.currentTimeMillis();
        long acknowledged;
        try (KafkaProducer<String, String> producer = Clients.producer(Map.of())) {
            acknowledged = producer.send(new ProducerRecord<>(topic, 0, 1_000L, null, "value")).get().timestamp();
        }
        ConsumerRecord<String, String> read = Topics.readAll(topic, STRINGS, STRINGS, Map.of()).get(0);
        assertEquals(TimestampType.LOG_APPEND_TIME, read.timestampType());
        assertEquals(acknowledged, read.timestamp());
        assertTrue(before <= read.timestamp() && read.timestamp() <= System.currentTimeMillis(), "appended at " + read.timestamp());
    }

    private static boolean holdsOnly(String topic, String value, Map<String, Object> settings) {
        return Topics.readAll(topic, STRINGS, STRINGS, settings).stream().map(ConsumerRecord::value).toList().equals(List.of(value));
    }
}
