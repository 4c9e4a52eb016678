package matrix.clients;

import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;

/** A member of a group on a thread of its own: it reads, commits what it has read, and writes down what it has. */
final class Member implements ConsumerRebalanceListener, AutoCloseable {
    /** Where all members of a group write down what they have, and what went wrong with that. */
    static final class Owners {
        private final Map<TopicPartition, Member> owners = new ConcurrentHashMap<>();
        final List<String> violations = new CopyOnWriteArrayList<>();

        /** How many partitions each owner has; those without any are not in it. */
        Collection<Integer> shares() {
            Map<Member, Integer> shares = new HashMap<>();
            owners.values().forEach(owner -> shares.merge(owner, 1, Integer::sum));
            return shares.values().stream().sorted().toList();
        }
    }

    /** Values of records, in the order in which they came. */
    final List<String> processed = new CopyOnWriteArrayList<>();
    final Set<TopicPartition> assigned = ConcurrentHashMap.newKeySet();
    /** Everything that was ever taken away from it. */
    final Set<TopicPartition> givenUp = ConcurrentHashMap.newKeySet();
    private final Owners owners;
    private final KafkaConsumer<String, String> consumer;
    private final Thread thread;
    private volatile boolean isLeaving;

    Member(String group, String topic, Owners owners, Map<String, Object> settings) {
        Map<String, Object> all = new HashMap<>(settings);
        all.put("group.id", group);
        all.put("auto.offset.reset", "earliest");
        all.put("enable.auto.commit", false);
        this.owners = owners;
        consumer = Clients.consumer(all);
        consumer.subscribe(List.of(topic), this);
        thread = new Thread(this::live, "member of " + group);
        thread.start();
    }

    private void live() {
        try (consumer) {
            while (!isLeaving) {
                readOnce();
            }
        } catch (WakeupException leaving) {
            // It was asked to leave while it waited.
        } catch (RuntimeException failure) {
            owners.violations.add("a member failed: " + failure);
        }
    }

    private void readOnce() {
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
            processed.add(record.value());
        }
        consumer.commitAsync();
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        assigned.addAll(partitions);
        for (TopicPartition partition : partitions) {
            Member other = owners.owners.putIfAbsent(partition, this);
            if (other != null) {
                owners.violations.add(partition + " has two owners");
            }
        }
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        owners.owners.keySet().removeAll(Set.copyOf(partitions));
        assigned.removeAll(new HashSet<>(partitions));
        givenUp.addAll(partitions);
    }

    @Override
    public void close() throws InterruptedException {
        isLeaving = true;
        consumer.wakeup();
        thread.join(30_000);
        if (thread.isAlive()) {
            throw new AssertionError("a member did not leave");
        }
    }
}
