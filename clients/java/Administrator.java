import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.common.TopicPartition;

/** What the tests need done to topics and groups. */
final class Administrator {
    private final Admin admin;

    Administrator(String bootstrap) {
        admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    void call(String call, JsonArray arguments) throws Exception {
        String name = arguments.get(0).getAsString();
        switch (call) {
            case "create_topic" -> {
                NewTopic topic = new NewTopic(name, arguments.get(1).getAsInt(), (short) 1);
                admin.createTopics(List.of(topic)).all().get();
            }
            case "delete_records" -> {
                TopicPartition partition = new TopicPartition(name, arguments.get(1).getAsInt());
                admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(arguments.get(2).getAsLong()))).all().get();
            }
            case "delete_group_offsets" -> {
                Set<TopicPartition> partitions = new HashSet<>();
                for (JsonElement pair : arguments.get(1).getAsJsonArray()) {
                    partitions.add(ClientProcess.partition(pair));
                }
                admin.deleteConsumerGroupOffsets(name, partitions).all().get();
            }
            default -> throw new IllegalArgumentException("no such call: " + call);
        }
    }
}
