package matrix.streams;

import java.util.List;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

/** Counts the words of lines, each exactly once, until it is told to stop. */
public final class WordCount {
    private WordCount() {}

    /** Arguments: bootstrap server, application id, topic of lines, topic of counts, folder for the state. */
    public static void main(String[] arguments) {
        KafkaStreams streams = new KafkaStreams(topology(arguments[2], arguments[3]), settings(arguments[0], arguments[1], arguments[4]));
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    private static Topology topology(String lines, String counts) {
        StreamsBuilder builder = new StreamsBuilder();
        builder.<String, String>stream(lines)
            .flatMapValues(line -> List.of(line.split(" ")))
            .groupBy((key, word) -> word, Grouped.as("words"))
            .count(Materialized.as("counts"))
            .toStream()
            .to(counts, Produced.valueSerde(Serdes.Long()));
        return builder.build();
    }

    private static Properties settings(String bootstrap, String application, String state) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, state);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.String().getClass());
        settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.String().getClass());
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
        // Each count is told, not only the last one before a commit: so one that is left out or told twice can be seen.
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        // It does not leave its group when it is closed, as it may come back: whoever takes over waits for the end of its session.
        settings.put(StreamsConfig.consumerPrefix("session.timeout.ms"), 3_000);
        settings.put(StreamsConfig.consumerPrefix("heartbeat.interval.ms"), 500);
        return settings;
    }
}
