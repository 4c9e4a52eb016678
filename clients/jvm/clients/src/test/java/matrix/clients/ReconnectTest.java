package matrix.clients;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import matrix.Broker;
import matrix.Eventually;
import matrix.Topics;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.junit.jupiter.api.Test;

/** The broker is killed and comes back; its clients go on by themselves. */
class ReconnectTest {
    @Test
    void reconnect() throws Exception {
        String topic = Topics.create(1);
        String group = Broker.fresh("group");
        TopicPartition partition = new TopicPartition(topic, 0);
        Member.Owners owners = new Member.Owners();
        try (Writer writer = new Writer(topic); Member member = new Member(group, topic, owners, Map.of())) {
            writer.acknowledges(100);
            Eventually.isTrue("a hundred are read and committed", () -> committed(group, partition) >= 100);
            writer.acknowledges(50);
            Broker.restart();
            writer.acknowledges(100);
            writer.close();
            assertEquals(List.of(), writer.failures);

            List<String> kept = values(topic);
            assertEquals(kept.stream().distinct().toList(), kept, "each record is there once");
            assertTrue(kept.containsAll(writer.acknowledged), "something acknowledged is lost");
            Eventually.isTrue("the member has read them all", () -> member.processed.containsAll(kept));
            Set<String> committedBefore = Set.copyOf(kept.subList(0, 100));
            assertEquals(100, member.processed.stream().filter(committedBefore::contains).count(), "what was committed is not read again");
            Eventually.isTrue("all is committed", () -> committed(group, partition) == kept.size());
        }
        assertEquals(List.of(), owners.violations);
    }

    private static List<String> values(String topic) {
        StringDeserializer strings = new StringDeserializer();
        return Topics.readAll(topic, strings, strings, Map.of()).stream().map(ConsumerRecord::value).toList();
    }

    private static long committed(String group, TopicPartition partition) throws ExecutionException, InterruptedException {
        try (Admin admin = Topics.admin()) {
            OffsetAndMetadata committed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(partition);
            return committed == null ? -1 : committed.offset();
        }
    }
}
