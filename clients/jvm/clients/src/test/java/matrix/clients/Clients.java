package matrix.clients;

import java.util.HashMap;
import java.util.Map;
import matrix.Broker;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Producers and consumers of strings, as they come but for what a test sets. */
final class Clients {
    private Clients() {}

    static KafkaProducer<String, String> producer(Map<String, Object> settings) {
        return new KafkaProducer<>(withBroker(settings), new StringSerializer(), new StringSerializer());
    }

    static KafkaConsumer<String, String> consumer(Map<String, Object> settings) {
        return new KafkaConsumer<>(withBroker(settings), new StringDeserializer(), new StringDeserializer());
    }

    static Map<String, Object> withBroker(Map<String, Object> settings) {
        Map<String, Object> all = new HashMap<>(settings);
        all.put("bootstrap.servers", Broker.BOOTSTRAP);
        return all;
    }
}
