package matrix.clients;

import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import matrix.Eventually;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;

/** A producer on a thread of its own that sends one record after the other and writes down what was acknowledged. */
final class Writer implements AutoCloseable {
    final List<String> acknowledged = new CopyOnWriteArrayList<>();
    final List<String> failures = new CopyOnWriteArrayList<>();
    private final KafkaProducer<String, String> producer = Clients.producer(Map.of());
    private final String topic;
    private final Thread thread = new Thread(this::write, "writer");
    private volatile boolean isDone;

    Writer(String topic) {
        this.topic = topic;
        thread.start();
    }

    private void write() {
        try (producer) {
            for (int number = 0; !isDone; number++) {
                String value = "value-" + number;
                producer.send(new ProducerRecord<>(topic, value)).get();
                acknowledged.add(value);
            }
        } catch (ExecutionException | InterruptedException failure) {
            failures.add(failure.toString());
        }
    }

    /** Waits until so many more records are acknowledged. */
    void acknowledges(int more) throws Exception {
        int wanted = acknowledged.size() + more;
        Eventually.isTrue("so many more records are acknowledged: " + more, () -> acknowledged.size() >= wanted || !failures.isEmpty());
    }

    @Override
    public void close() throws InterruptedException {
        isDone = true;
        thread.join(30_000);
    }
}
