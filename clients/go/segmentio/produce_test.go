package segmentio

import (
	"fmt"
	"testing"

	"github.com/segmentio/kafka-go"

	"ottla/clients/broker"
)

func TestProduceCodecs(t *testing.T) {
	t.Parallel()
	codecs := map[string]kafka.Compression{"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd}
	for name, codec := range codecs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t, 3)
			produceKeyed(t, topic, codec)
			checkKeyed(t, readAll(t, topic, 3))
		})
	}
}

func produceKeyed(t *testing.T, topic string, codec kafka.Compression) {
	writer := newWriter(t, topic, kafka.Murmur2Balancer{})
	writer.Compression = codec
	var messages []kafka.Message
	for number := range 100 {
		messages = append(messages, kafka.Message{Key: fmt.Appendf(nil, "key-%d", number%10), Value: fmt.Appendf(nil, "value-%d", number)})
	}
	if err := writer.WriteMessages(broker.Context(t), messages...); err != nil {
		t.Fatal(err)
	}
}

func checkKeyed(t *testing.T, messages []kafka.Message) {
	if len(messages) != 100 {
		t.Errorf("%d messages, not 100", len(messages))
	}
	keys, homes, used := map[string]string{}, map[string]int{}, map[int]bool{}
	for _, message := range messages {
		key, value := string(message.Key), string(message.Value)
		if _, twice := keys[value]; twice {
			t.Errorf("%s is there twice", value)
		}
		if home, known := homes[key]; known && home != message.Partition {
			t.Errorf("%s is in partitions %d and %d", key, home, message.Partition)
		}
		keys[value], homes[key], used[message.Partition] = key, message.Partition, true
	}
	for number := range 100 {
		if got := keys[fmt.Sprintf("value-%d", number)]; got != fmt.Sprintf("key-%d", number%10) {
			t.Errorf("value-%d has key %q", number, got)
		}
	}
	if len(used) != 3 {
		t.Errorf("%d of 3 partitions are used", len(used))
	}
}
