package matrix.clients;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import matrix.Broker;
import matrix.Eventually;
import matrix.Topics;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.Test;

/** Members share the partitions of a topic. */
class GroupsTest {
    private static final Map<String, Object> CLASSIC = Map.of("group.protocol", "classic", "heartbeat.interval.ms", 200);

    private final List<Member> members = new ArrayList<>();
    private final Member.Owners owners = new Member.Owners();
    private final Set<String> sent = new TreeSet<>();

    @Test
    void groupClassic() throws Exception {
        shareFourPartitions(CLASSIC);
    }

    @Test
    void groupConsumer() throws Exception {
        shareFourPartitions(Map.of("group.protocol", "consumer"));
    }

    @Test
    void groupCooperative() throws Exception {
        Map<String, Object> settings = new HashMap<>(CLASSIC);
        settings.put("partition.assignment.strategy", CooperativeStickyAssignor.class.getName());
        String topic = Topics.create(4);
        String group = Broker.fresh("group");
        try (Member first = new Member(group, topic, owners, settings)) {
            sharesBecome(List.of(4));
            try (Member second = new Member(group, topic, owners, settings)) {
                sharesBecome(List.of(2, 2));
                assertEquals(Set.copyOf(second.assigned), Set.copyOf(first.givenUp), "the first gives up what the second gets");
                assertEquals(2, first.assigned.size());
                send(topic);
                Eventually.see("each has read its own two partitions", () -> List.of(first.processed.size(), second.processed.size()),
                    List.of(20, 20)::equals);
            }
        }
        assertEquals(List.of(), owners.violations);
    }

    private void shareFourPartitions(Map<String, Object> settings) throws Exception {
        String topic = Topics.create(4);
        String group = Broker.fresh("group");
        try {
            join(group, topic, settings, 2);
            sharesBecome(List.of(2, 2));
            send(topic);
            join(group, topic, settings, 3);
            sharesBecome(List.of(1, 1, 1, 1)); // of five, one idles
            send(topic);
            members.get(0).close();
            members.get(3).close();
            sharesBecome(List.of(1, 1, 2));
            members.get(1).close();
            members.get(2).close();
            sharesBecome(List.of(4));
            send(topic);
            Eventually.see("every record is processed by somebody", this::processed, sent::equals);
            assertEquals(List.of(), owners.violations);
        } finally {
            for (Member member : members) {
                member.close();
            }
        }
        assertTrue(owners.shares().isEmpty(), "all have left, and somebody has something still");
    }

    private void join(String group, String topic, Map<String, Object> settings, int count) {
        for (int number = 0; number < count; number++) {
            members.add(new Member(group, topic, owners, settings));
        }
    }

    private Set<String> processed() {
        Set<String> all = new HashSet<>();
        members.forEach(member -> all.addAll(member.processed));
        return all;
    }

    private void sharesBecome(Collection<Integer> wanted) throws Exception {
        Eventually.see("the members' shares are " + wanted, owners::shares, wanted::equals);
    }

    /** Ten records to each partition. */
    private void send(String topic) {
        try (KafkaProducer<String, String> producer = Clients.producer(Map.of())) {
            for (int number = 0; number < 40; number++) {
                String value = "value-" + sent.size();
                TopicPartition partition = new TopicPartition(topic, number % 4);
                producer.send(new ProducerRecord<>(topic, partition.partition(), null, value));
                sent.add(value);
            }
        }
    }
}
