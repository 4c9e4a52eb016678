package sarama

import (
	"fmt"
	"testing"

	"github.com/IBM/sarama"

	"ottla/clients/broker"
)

func TestProduceCodecs(t *testing.T) {
	t.Parallel()
	codecs := []sarama.CompressionCodec{
		sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy, sarama.CompressionLZ4, sarama.CompressionZSTD,
	}
	for _, codec := range codecs {
		t.Run(codec.String(), func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t, 3)
			produceKeyed(t, topic, codec)
			checkKeyed(t, readAll(t, topic))
		})
	}
}

func produceKeyed(t *testing.T, topic string, codec sarama.CompressionCodec) {
	producer := newProducer(t, func(config *sarama.Config) {
		config.Producer.Compression = codec
		config.Producer.Partitioner = sarama.NewHashPartitioner
	})
	var messages []*sarama.ProducerMessage
	for number := range 100 {
		messages = append(messages, &sarama.ProducerMessage{
			Topic: topic,
			Key:   sarama.StringEncoder(fmt.Sprintf("key-%d", number%10)),
			Value: sarama.StringEncoder(fmt.Sprintf("value-%d", number)),
		})
	}
	if err := producer.SendMessages(messages); err != nil {
		t.Fatal(err)
	}
}

func checkKeyed(t *testing.T, messages []*sarama.ConsumerMessage) {
	if len(messages) != 100 {
		t.Errorf("%d messages, not 100", len(messages))
	}
	keys, homes, used := map[string]string{}, map[string]int32{}, map[int32]bool{}
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

func TestProduceIdempotent(t *testing.T) {
	t.Parallel()
	topic := newTopic(t, 1)
	producer, err := sarama.NewAsyncProducer(addresses(t), newConfig(idempotent))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	go func() {
		for _, message := range numbered(topic, 0, "record", 1000) {
			producer.Input() <- message
		}
	}()
	ctx := broker.Context(t)
	for range 1000 {
		select {
		case <-producer.Successes():
		case failed := <-producer.Errors():
			t.Fatal(failed)
		case <-ctx.Done():
			t.Fatal("the broker does not answer")
		}
	}
	messages := readAll(t, topic)
	if len(messages) != 1000 {
		t.Fatalf("%d messages", len(messages))
	}
	for number, message := range messages {
		if message.Offset != int64(number) || string(message.Value) != fmt.Sprintf("record-%d", number) {
			t.Fatalf("%s at %d, as number %d", message.Value, message.Offset, number)
		}
	}
}

// idempotent is what Sarama demands of the configuration for it.
func idempotent(config *sarama.Config) {
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
}
