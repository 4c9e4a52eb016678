package matrix.clients;

import static java.util.stream.Collectors.toSet;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.stream.IntStream;
import matrix.Broker;
import matrix.Eventually;
import matrix.Topics;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.ConsumerGroupListing;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.ConsumerGroupState;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What an administrator does. */
class AdminTest {
    private final Admin admin = Topics.admin();

    @AfterEach
    void close() {
        admin.close();
    }

    @Test
    void adminOfTopics() throws Exception {
        String topic = Topics.create(2);
        assertTrue(admin.listTopics().names().get().contains(topic));
        TopicDescription described = describe(topic);
        assertEquals(List.of(0, 1), described.partitions().stream().map(partition -> partition.partition()).toList());
        assertEquals(1, described.partitions().get(0).replicas().size());
        assertFalse(described.isInternal());

        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all().get();
        Eventually.isTrue("there are five partitions", () -> describe(topic).partitions().size() == 5);

        admin.deleteTopics(List.of(topic)).all().get();
        Eventually.isTrue("the topic is gone", () -> !admin.listTopics().names().get().contains(topic));
        failsWith(UnknownTopicOrPartitionException.class, admin.deleteTopics(List.of(topic)).all());
    }

    @Test
    void adminOfConfigs() throws Exception {
        String topic = Topics.create(1, Map.of("retention.ms", "123456789", "cleanup.policy", "compact"));
        assertEquals("123456789", config(topic, "retention.ms").value());
        assertEquals(ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, config(topic, "retention.ms").source());
        assertEquals("compact", config(topic, "cleanup.policy").value());
        assertTrue(config(topic, "segment.bytes").isDefault());

        alter(topic, new AlterConfigOp(new ConfigEntry("retention.ms", ""), AlterConfigOp.OpType.DELETE),
            new AlterConfigOp(new ConfigEntry("segment.ms", "60000"), AlterConfigOp.OpType.SET),
            new AlterConfigOp(new ConfigEntry("cleanup.policy", "delete"), AlterConfigOp.OpType.APPEND)).get();
        Eventually.isTrue("the config is back to its default", () -> config(topic, "retention.ms").isDefault());
        assertEquals("60000", config(topic, "segment.ms").value());
        assertEquals("compact,delete", config(topic, "cleanup.policy").value());
    }

    @Test
    void adminOfRecords() throws Exception {
        String topic = Topics.create(1);
        TopicPartition partition = new TopicPartition(topic, 0);
        send(topic, 100);
        assertEquals(0, offset(partition, OffsetSpec.earliest()));
        assertEquals(100, offset(partition, OffsetSpec.latest()));

        long lowWatermark = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(40))).lowWatermarks().get(partition).get()
            .lowWatermark();
        assertEquals(40, lowWatermark);
        assertEquals(40, offset(partition, OffsetSpec.earliest()));
        assertEquals(100, offset(partition, OffsetSpec.latest()));
    }

    @Test
    void adminOfGroups() throws Exception {
        String topic = Topics.create(2);
        String group = Broker.fresh("group");
        TopicPartition first = new TopicPartition(topic, 0);
        TopicPartition second = new TopicPartition(topic, 1);
        send(topic, 100);
        try (Member member = new Member(group, topic, new Member.Owners(), Map.of())) {
            Eventually.isTrue("all is read", () -> member.processed.size() == 100);
            ConsumerGroupDescription described = Eventually.see("it is stable", () -> describeGroup(group),
                seen -> seen.state() == ConsumerGroupState.STABLE);
            assertEquals(Set.of(first, second), described.members().iterator().next().assignment().topicPartitions());
        }
        Collection<ConsumerGroupListing> listed = admin.listConsumerGroups().all().get();
        assertTrue(listed.stream().map(ConsumerGroupListing::groupId).collect(toSet()).contains(group));
        Eventually.isTrue("it is empty", () -> describeGroup(group).state() == ConsumerGroupState.EMPTY);

        admin.alterConsumerGroupOffsets(group, Map.of(first, new OffsetAndMetadata(7, "by hand"), second, new OffsetAndMetadata(8))).all().get();
        assertEquals(new OffsetAndMetadata(7, Optional.empty(), "by hand"), offsetsOf(group).get(first));
        admin.deleteConsumerGroupOffsets(group, Set.of(first)).all().get();
        assertEquals(Set.of(second), offsetsOf(group).keySet());

        admin.deleteConsumerGroups(List.of(group)).all().get();
        failsWith(GroupIdNotFoundException.class, admin.deleteConsumerGroups(List.of(group)).all());
    }

    @Test
    void adminIsToldItsErrors() throws Exception {
        String topic = Topics.create(1);
        failsWith(TopicExistsException.class, admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all());
        failsWith(UnknownTopicOrPartitionException.class, admin.describeTopics(List.of(Broker.fresh("nothing"))).allTopicNames());
        NewTopic wrong = new NewTopic(Broker.fresh("topic"), 1, (short) 1).configs(Map.of("retention.ms", "soon"));
        failsWith(InvalidConfigurationException.class, admin.createTopics(List.of(wrong)).all());
        failsWith(InvalidConfigurationException.class,
            alter(topic, new AlterConfigOp(new ConfigEntry("no.such.config", "1"), AlterConfigOp.OpType.SET)));
    }

    private TopicDescription describe(String topic) throws Exception {
        return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
    }

    private ConsumerGroupDescription describeGroup(String group) throws Exception {
        return admin.describeConsumerGroups(List.of(group)).all().get().get(group);
    }

    private Map<TopicPartition, OffsetAndMetadata> offsetsOf(String group) throws Exception {
        return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
    }

    private long offset(TopicPartition partition, OffsetSpec spec) throws Exception {
        return admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get().offset();
    }

    private ConfigEntry config(String topic, String name) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        return admin.describeConfigs(List.of(resource)).all().get().get(resource).get(name);
    }

    private KafkaFuture<Void> alter(String topic, AlterConfigOp... changes) {
        return admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.TOPIC, topic), List.of(changes))).all();
    }

    private static void send(String topic, int count) {
        try (KafkaProducer<String, String> producer = Clients.producer(Map.of())) {
            IntStream.range(0, count).forEach(number -> producer.send(new ProducerRecord<>(topic, "key-" + number, "value-" + number)));
        }
    }

    private static void failsWith(Class<? extends Exception> expected, KafkaFuture<?> future) {
        assertInstanceOf(expected, assertThrows(ExecutionException.class, future::get).getCause());
    }
}
