package matrix.connect;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import matrix.Broker;
import matrix.JavaProcess;
import matrix.Topics;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.connect.cli.ConnectDistributed;

/** Workers that form one group. What they know lies in topics, which they make. */
final class Workers {
    private final String group = Broker.fresh("workers");
    private final Map<String, String> topics =
        Map.of("config", group + "-configs", "offset", group + "-offsets", "status", group + "-status");
    private final Path folder;
    private int started;

    Workers(Path folder) {
        this.folder = folder;
    }

    Worker start() throws Exception {
        started++;
        Path properties = Files.write(folder.resolve("worker-" + started + ".properties"), settings());
        Path log = folder.resolve("worker-" + started + ".log");
        return new Worker(new JavaProcess(log, ConnectDistributed.class.getName(), properties.toString()), log);
    }

    private List<String> settings() {
        Map<String, String> settings = new TreeMap<>(Map.of(
            "bootstrap.servers", Broker.BOOTSTRAP,
            "group.id", group,
            "listeners", "http://127.0.0.1:0",
            "key.converter", "org.apache.kafka.connect.storage.StringConverter",
            "value.converter", "org.apache.kafka.connect.storage.StringConverter",
            "offset.flush.interval.ms", "500",
            // One that is killed is soon missed, and its work given to others without waiting for it to come back.
            "session.timeout.ms", "3000",
            "heartbeat.interval.ms", "500",
            "scheduled.rebalance.max.delay.ms", "0"));
        // The same for the consumer of a sink, which is a member of a group of its own.
        settings.put("consumer.session.timeout.ms", "3000");
        settings.put("consumer.heartbeat.interval.ms", "500");
        topics.forEach((kind, topic) -> {
            settings.put(kind + ".storage.topic", topic);
            settings.put(kind + ".storage.replication.factor", "1");
        });
        return settings.entrySet().stream().map(entry -> entry.getKey() + "=" + entry.getValue()).toList();
    }

    String protocolOfTheGroup() throws Exception {
        try (Admin admin = Topics.admin()) {
            return admin.listGroups().all().get().stream().filter(listed -> listed.groupId().equals(group))
                .map(GroupListing::protocol).findAny().orElse("there is no such group");
        }
    }

    /** What sources have written down of how far they are. */
    List<String> keptOffsets() {
        StringDeserializer strings = new StringDeserializer();
        return Topics.readAll(topics.get("offset"), strings, strings, Map.of()).stream().map(ConsumerRecord::value).toList();
    }

    void topicsAreCompacted() throws Exception {
        List<ConfigResource> resources = new ArrayList<>();
        topics.values().forEach(topic -> resources.add(new ConfigResource(ConfigResource.Type.TOPIC, topic)));
        try (Admin admin = Topics.admin()) {
            admin.describeConfigs(resources).all().get().forEach((resource, config) ->
                assertEquals("compact", config.get("cleanup.policy").value(), resource.name()));
        }
    }

    /** The offset that a group has committed, or -1. */
    static long committed(String group, String topic) throws Exception {
        try (Admin admin = Topics.admin()) {
            OffsetAndMetadata committed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get()
                .get(new TopicPartition(topic, 0));
            return committed == null ? -1 : committed.offset();
        }
    }
}
