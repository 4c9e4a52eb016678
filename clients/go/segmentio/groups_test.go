package segmentio

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"ottla/clients/broker"
	"ottla/clients/groups"
)

// group has members that commit each message once it is processed.
type group struct {
	t           *testing.T
	topic, name string
}

func newGroup(t *testing.T) group {
	return group{t, newTopic(t, groups.Partitions), broker.Name("group")}
}

func TestGroupClassic(t *testing.T) {
	t.Parallel()
	groups.Share(t, newGroup(t))
}

func (g group) Send(values ...string) {
	g.t.Helper()
	var messages []kafka.Message
	for _, value := range values {
		messages = append(messages, kafka.Message{Value: []byte(value)})
	}
	if err := newWriter(g.t, g.topic, &kafka.RoundRobin{}).WriteMessages(broker.Context(g.t), messages...); err != nil {
		g.t.Fatal(err)
	}
}

func (g group) Join(observer *groups.Observer, name string) func() {
	consumer, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                g.name,
		Brokers:           []string{broker.Bootstrap(g.t)},
		Topics:            []string{g.topic},
		HeartbeatInterval: 200 * time.Millisecond,
		JoinGroupBackoff:  100 * time.Millisecond,
	})
	if err != nil {
		g.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			generation, err := consumer.Next(context.Background())
			if errors.Is(err, kafka.ErrGroupClosed) {
				return
			}
			if err != nil {
				g.t.Logf("%s goes on after: %v", name, err)
				continue
			}
			for _, assigned := range generation.Assignments[g.topic] {
				member := member{g, name, observer, generation, assigned}
				generation.Start(member.work)
			}
		}
	}()
	leave := func() {
		if err := consumer.Close(); err != nil {
			g.t.Errorf("%s leaves with %v", name, err)
		}
		<-ended
	}
	g.t.Cleanup(leave)
	return leave
}

// member works on one partition as long as its generation lasts.
type member struct {
	group
	name       string
	observer   *groups.Observer
	generation *kafka.Generation
	assigned   kafka.PartitionAssignment
}

func (m member) work(ctx context.Context) {
	m.observer.Assigned(m.name, int32(m.assigned.ID))
	defer m.observer.Released(m.name, int32(m.assigned.ID))
	reader := newReader(m.t, kafka.ReaderConfig{Topic: m.topic, Partition: m.assigned.ID})
	defer reader.Close()
	if err := reader.SetOffset(m.assigned.Offset); err != nil {
		m.t.Error(err)
		return
	}
	for {
		message, err := reader.ReadMessage(ctx)
		if err != nil {
			return
		}
		m.observer.Processed(string(message.Value))
		if err := m.generation.CommitOffsets(map[string]map[int]int64{m.topic: {m.assigned.ID: message.Offset + 1}}); err != nil {
			return
		}
	}
}
