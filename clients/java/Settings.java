import com.google.gson.JsonObject;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** The clients' properties. */
final class Settings {
    private Settings() {}

    static Map<String, Object> consumer(String protocol, String bootstrap, JsonObject options) {
        Map<String, Object> settings = new HashMap<>();
        settings.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        settings.put(ConsumerConfig.GROUP_ID_CONFIG, options.get("group").getAsString());
        settings.put(ConsumerConfig.GROUP_PROTOCOL_CONFIG, protocol);
        settings.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class);
        settings.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class);
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, options.get("reset").getAsString());
        settings.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
        settings.put(ConsumerConfig.METADATA_MAX_AGE_CONFIG, options.get("metadata_max_age_ms").getAsInt());
        settings.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, options.get("auto_create_topics").getAsBoolean());
        settings.put(ConsumerConfig.RECONNECT_BACKOFF_MAX_MS_CONFIG, 500);
        // By default the client forgets all topics when its only broker is away, and then a leader has its group rebalance
        // ("cached metadata has changed ... to {topic=[]}"), whether or not the broker remembers it.
        settings.put(CommonClientConfigs.METADATA_RECOVERY_STRATEGY_CONFIG, "none");
        if (!options.get("instance").isJsonNull()) {
            settings.put(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG, options.get("instance").getAsString());
        }
        if (protocol.equals("consumer")) {
            settings.put(ConsumerConfig.GROUP_REMOTE_ASSIGNOR_CONFIG, "uniform");
        } else { // In the other protocol session, heartbeats and assignor are the broker's to say.
            settings.put(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG, options.get("session_timeout_ms").getAsInt());
            settings.put(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG, options.get("heartbeat_interval_ms").getAsInt());
            boolean isCooperative = options.get("cooperative").getAsBoolean();
            Class<?> assignor = isCooperative ? CooperativeStickyAssignor.class : RangeAssignor.class;
            settings.put(ConsumerConfig.PARTITION_ASSIGNMENT_STRATEGY_CONFIG, assignor.getName());
        }
        return settings;
    }

    static Map<String, Object> producer(String bootstrap, String codec) {
        // The long linger keeps what is sent together in one batch; flush does not wait for it.
        return Map.of(
            ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap,
            ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, StringSerializer.class,
            ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, StringSerializer.class,
            ProducerConfig.COMPRESSION_TYPE_CONFIG, codec,
            ProducerConfig.ACKS_CONFIG, "all",
            ProducerConfig.LINGER_MS_CONFIG, 5_000,
            ProducerConfig.BATCH_SIZE_CONFIG, 1 << 20);
    }
}
