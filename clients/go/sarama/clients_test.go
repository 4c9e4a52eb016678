// Package sarama runs the client matrix with Sarama.
package sarama

import (
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"ottla/clients/broker"
)

// newConfig speaks the newest version that Sarama knows; all else that differs from its defaults is in the list of the matrix.
func newConfig(changes ...func(*sarama.Config)) *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Group.Heartbeat.Interval = 200 * time.Millisecond
	for _, change := range changes {
		change(config)
	}
	return config
}

func addresses(t testing.TB) []string {
	t.Helper()
	return []string{broker.Bootstrap(t)}
}

func newAdmin(t testing.TB) sarama.ClusterAdmin {
	t.Helper()
	admin, err := sarama.NewClusterAdmin(addresses(t), newConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Close() })
	return admin
}

func newTopic(t testing.TB, partitions int32, configs ...string) string {
	t.Helper()
	detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: map[string]*string{}}
	for i := 0; i < len(configs); i += 2 {
		detail.ConfigEntries[configs[i]] = &configs[i+1]
	}
	name := broker.Name("topic")
	if err := newAdmin(t).CreateTopic(name, detail, false); err != nil {
		t.Fatal(err)
	}
	return name
}

func newProducer(t testing.TB, changes ...func(*sarama.Config)) sarama.SyncProducer {
	t.Helper()
	producer, err := sarama.NewSyncProducer(addresses(t), newConfig(changes...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { producer.Close() })
	return producer
}

// produce sends to the partitions that the messages name, and waits for all.
func produce(t testing.TB, messages ...*sarama.ProducerMessage) {
	t.Helper()
	if err := newProducer(t).SendMessages(messages); err != nil {
		t.Fatal(err)
	}
}

func text(topic string, partition int32, value string) *sarama.ProducerMessage {
	return &sarama.ProducerMessage{Topic: topic, Partition: partition, Value: sarama.StringEncoder(value)}
}

func numbered(topic string, partition int32, prefix string, count int) []*sarama.ProducerMessage {
	messages := make([]*sarama.ProducerMessage, count)
	for number := range messages {
		messages[number] = text(topic, partition, fmt.Sprintf("%s-%d", prefix, number))
	}
	return messages
}

// readAll reads a topic without transactions from its beginning to its end.
func readAll(t testing.TB, topic string, changes ...func(*sarama.Config)) []*sarama.ConsumerMessage {
	t.Helper()
	return readTopic(t, topic, func(message *sarama.ConsumerMessage, end int64) bool { return message.Offset+1 == end }, changes...)
}

// readUntil reads a topic from the beginning up to the message "end" in each of its partitions.
func readUntilEnd(t testing.TB, topic string, changes ...func(*sarama.Config)) []*sarama.ConsumerMessage {
	t.Helper()
	return readTopic(t, topic, func(message *sarama.ConsumerMessage, _ int64) bool { return string(message.Value) == "end" }, changes...)
}

type isLast func(message *sarama.ConsumerMessage, end int64) bool

func readTopic(t testing.TB, topic string, last isLast, changes ...func(*sarama.Config)) (messages []*sarama.ConsumerMessage) {
	t.Helper()
	client, err := sarama.NewClient(addresses(t), newConfig(changes...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	partitions, err := client.Partitions(topic)
	if err != nil {
		t.Fatal(err)
	}
	for _, partition := range partitions {
		messages = append(messages, readPartition(t, client, topic, partition, last)...)
	}
	return messages
}

func readPartition(t testing.TB, client sarama.Client, topic string, partition int32, last isLast) (messages []*sarama.ConsumerMessage) {
	t.Helper()
	end, err := client.GetOffset(topic, partition, sarama.OffsetNewest)
	if err != nil || end == 0 {
		return nil
	}
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	reader, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for ctx := broker.Context(t); ; {
		select {
		case message := <-reader.Messages():
			messages = append(messages, message)
			if last(message, end) {
				return messages
			}
		case <-ctx.Done():
			t.Fatalf("partition %d: only %d messages", partition, len(messages))
		}
	}
}

func values(messages []*sarama.ConsumerMessage) []string {
	var values []string
	for _, message := range messages {
		values = append(values, string(message.Value))
	}
	return values
}

func sentValues(messages []*sarama.ProducerMessage) []string {
	var values []string
	for _, message := range messages {
		values = append(values, string(message.Value.(sarama.StringEncoder)))
	}
	return values
}
