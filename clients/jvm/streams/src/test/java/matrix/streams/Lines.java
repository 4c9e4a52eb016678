package matrix.streams;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import matrix.Broker;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.StringSerializer;

/** Sends lines of words, and knows how often each word was in them. */
final class Lines implements AutoCloseable {
    private static final int WORDS_PER_LINE = 4;
    private static final int VOCABULARY = 25;

    private final KafkaProducer<String, String> producer;
    private final String topic;
    private final Map<String, Long> words = new TreeMap<>();
    private int next;
    private Thread sender;
    private volatile boolean isClosed;
    private volatile Exception failure;

    Lines(String topic) {
        this.topic = topic;
        // However long the broker is away, a line gets there, once.
        Map<String, Object> settings = Map.of("bootstrap.servers", Broker.BOOTSTRAP, "enable.idempotence", true);
        producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
    }

    /** Returns when they are acknowledged. */
    void send(int count) throws ExecutionException, InterruptedException {
        List<Future<RecordMetadata>> acknowledgements = new ArrayList<>();
        for (int number = 0; number < count; number++) {
            acknowledgements.add(producer.send(new ProducerRecord<>(topic, number % 2, null, line())));
        }
        for (Future<RecordMetadata> acknowledgement : acknowledgements) {
            acknowledgement.get();
        }
    }

    /** A few lines after the other, on a thread of its own. */
    void sendUntilClosed() {
        sender = new Thread(() -> {
            try {
                while (!isClosed) {
                    send(5);
                    Thread.sleep(10); // a trickle, so that there is always something under way and never much
                }
            } catch (ExecutionException | InterruptedException thrown) {
                failure = thrown;
            }
        }, "lines");
        sender.start();
    }

    /** How often each word was sent. Complete once it is closed, or between calls of `send`. */
    Map<String, Long> words() {
        return Map.copyOf(words);
    }

    @Override
    public void close() throws Exception {
        isClosed = true;
        if (sender != null) {
            sender.join();
        }
        producer.close();
        if (failure != null) {
            throw failure;
        }
    }

    private String line() {
        List<String> line = new ArrayList<>();
        for (int number = 0; number < WORDS_PER_LINE; number++) {
            String word = "word-" + (next * next + 7 * next) % VOCABULARY;
            next++;
            words.merge(word, 1L, Long::sum);
            line.add(word);
        }
        return String.join(" ", line);
    }
}
