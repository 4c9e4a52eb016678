package matrix;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Deserializer;

/** Topics that a test makes, and all that is in them. */
public final class Topics {
    private static final Duration DEADLINE = Duration.ofSeconds(45);

    private Topics() {}

    public static Admin admin() {
        return Admin.create(Map.of("bootstrap.servers", Broker.BOOTSTRAP));
    }

    public static String create(int partitions) throws ExecutionException, InterruptedException {
        return create(partitions, Map.of());
    }

    public static String create(int partitions, Map<String, String> configs) throws ExecutionException, InterruptedException {
        String topic = Broker.fresh("topic");
        try (Admin admin = admin()) {
            admin.createTopics(List.of(new NewTopic(topic, Optional.of(partitions), Optional.empty()).configs(configs))).all().get();
        }
        return topic;
    }

    /** Everything from the beginning to where each partition ends now. `settings` may say how it is read. */
    public static <K, V> List<ConsumerRecord<K, V>> readAll(
            String topic, Deserializer<K> keys, Deserializer<V> values, Map<String, Object> settings) {
        Map<String, Object> all = new HashMap<>(settings);
        all.put("bootstrap.servers", Broker.BOOTSTRAP);
        List<ConsumerRecord<K, V>> records = new ArrayList<>();
        try (KafkaConsumer<K, V> consumer = new KafkaConsumer<>(all, keys, values)) {
            List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                .map(partition -> new TopicPartition(topic, partition.partition())).toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            long deadline = System.nanoTime() + DEADLINE.toNanos();
            while (!partitions.stream().allMatch(partition -> consumer.position(partition) >= ends.get(partition))) {
                if (System.nanoTime() > deadline) {
                    throw new AssertionError("not read to its end " + ends + " in time: " + topic + ", " + records.size() + " records");
                }
                consumer.poll(Duration.ofMillis(200)).forEach(records::add);
            }
        }
        return records;
    }
}
