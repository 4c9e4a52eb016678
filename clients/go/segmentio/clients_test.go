// Package segmentio runs the client matrix with kafka-go.
package segmentio

import (
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"ottla/clients/broker"
)

// newTransport sees topics that are new, which the shared one learns of every six seconds.
func newTransport(t testing.TB) *kafka.Transport {
	transport := &kafka.Transport{MetadataTTL: time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func newClient(t testing.TB) *kafka.Client {
	t.Helper()
	return &kafka.Client{Addr: kafka.TCP(broker.Bootstrap(t)), Transport: newTransport(t)}
}

func newTopic(t testing.TB, partitions int, configs ...string) string {
	t.Helper()
	topic := kafka.TopicConfig{Topic: broker.Name("topic"), NumPartitions: partitions, ReplicationFactor: 1}
	for i := 0; i < len(configs); i += 2 {
		topic.ConfigEntries = append(topic.ConfigEntries, kafka.ConfigEntry{ConfigName: configs[i], ConfigValue: configs[i+1]})
	}
	created, err := newClient(t).CreateTopics(broker.Context(t), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
	if err != nil || created.Errors[topic.Topic] != nil {
		t.Fatal(err, created)
	}
	return topic.Topic
}

func newWriter(t testing.TB, topic string, balancer kafka.Balancer) *kafka.Writer {
	t.Helper()
	writer := &kafka.Writer{
		Addr:         kafka.TCP(broker.Bootstrap(t)),
		Topic:        topic,
		Balancer:     balancer,
		RequiredAcks: kafka.RequireAll,
		BatchTimeout: 10 * time.Millisecond,
		Transport:    newTransport(t),
	}
	t.Cleanup(func() { writer.Close() })
	return writer
}

// produce sends to one partition, and waits for all.
func produce(t testing.TB, topic string, partition int, messages ...kafka.Message) {
	t.Helper()
	writer := newWriter(t, topic, kafka.BalancerFunc(func(kafka.Message, ...int) int { return partition }))
	if err := writer.WriteMessages(broker.Context(t), messages...); err != nil {
		t.Fatal(err)
	}
}

func numbered(prefix string, count int) []kafka.Message {
	messages := make([]kafka.Message, count)
	for number := range messages {
		messages[number].Value = fmt.Appendf(nil, "%s-%d", prefix, number)
	}
	return messages
}

func newReader(t testing.TB, config kafka.ReaderConfig) *kafka.Reader {
	t.Helper()
	config.Brokers = []string{broker.Bootstrap(t)}
	config.MaxWait = 500 * time.Millisecond
	config.HeartbeatInterval = 200 * time.Millisecond
	config.JoinGroupBackoff = 100 * time.Millisecond
	// Whoever loses the broker joins as somebody else, and waits for its own old session.
	config.SessionTimeout = 3 * time.Second
	reader := kafka.NewReader(config)
	t.Cleanup(func() { reader.Close() })
	return reader
}

// next is the reader's next message, which must come.
func next(t testing.TB, reader *kafka.Reader) kafka.Message {
	t.Helper()
	message, err := reader.FetchMessage(broker.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// readAll reads partitions without transactions from their beginning to their end.
func readAll(t testing.TB, topic string, partitions int) (messages []kafka.Message) {
	t.Helper()
	for partition := range partitions {
		messages = append(messages, readPartition(t, kafka.ReaderConfig{Topic: topic, Partition: partition})...)
	}
	return messages
}

func readPartition(t testing.TB, config kafka.ReaderConfig) (messages []kafka.Message) {
	t.Helper()
	end := listed(t, config.Topic, kafka.LastOffsetOf(config.Partition)).LastOffset
	if end == 0 {
		return nil
	}
	reader := newReader(t, config)
	defer reader.Close()
	for {
		messages = append(messages, next(t, reader))
		if messages[len(messages)-1].Offset+1 == end {
			return messages
		}
	}
}

func listed(t testing.TB, topic string, requests ...kafka.OffsetRequest) kafka.PartitionOffsets {
	t.Helper()
	listed, err := newClient(t).ListOffsets(broker.Context(t), &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: requests}})
	if err != nil || listed.Topics[topic][0].Error != nil {
		t.Fatal(err, listed)
	}
	return listed.Topics[topic][0]
}

func values(messages []kafka.Message) []string {
	var values []string
	for _, message := range messages {
		values = append(values, string(message.Value))
	}
	return values
}
