package segmentio

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"ottla/clients/broker"
	"ottla/clients/groups"
)

// TestReconnect kills the broker of all tests, so it is not parallel: it ends before the parallel ones go on.
func TestReconnect(t *testing.T) {
	topic, group := newTopic(t, groups.Partitions), broker.Name("group")
	observer := groups.Watch(t)
	leave := readInGroup(t, group, topic, observer)
	stop, acknowledged := make(chan struct{}), make(chan []string)
	go func() { acknowledged <- produceUntil(t, topic, stop) }()
	observer.AwaitCount(20)
	broker.Restart(t)
	before := observer.Count()
	observer.AwaitCount(before + 20)
	close(stop)
	sent := <-acknowledged
	observer.AwaitProcessed(sent...)
	leave()

	there := map[string]int{}
	for _, value := range values(readAll(t, topic, groups.Partitions)) {
		there[value]++
	}
	for _, value := range sent {
		// Without idempotence, what was not answered is sent again.
		if there[value] == 0 {
			t.Errorf("%s was acknowledged and is not there", value)
		}
	}
	produce(t, topic, 0, kafka.Message{Value: []byte("afterwards")})
	if message := next(t, newReader(t, kafka.ReaderConfig{GroupID: group, Topic: topic})); string(message.Value) != "afterwards" {
		t.Errorf("the group goes on with %s at %d", message.Value, message.Offset)
	}
}

// readInGroup is a member that commits each message once it is processed, whatever happens to the broker.
func readInGroup(t *testing.T, group, topic string, observer *groups.Observer) (leave func()) {
	member := newReader(t, kafka.ReaderConfig{GroupID: group, Topic: topic})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			message, err := member.FetchMessage(ctx)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				t.Logf("the member goes on after: %v", err)
				continue
			}
			observer.Processed(string(message.Value))
			if err := member.CommitMessages(ctx, message); err != nil {
				t.Logf("the member goes on after a failed commit: %v", err)
			}
		}
	}()
	return func() {
		cancel()
		<-ended
		if err := member.Close(); err != nil {
			t.Error(err)
		}
	}
}

// produceUntil sends one message after the other and returns those that were acknowledged.
func produceUntil(t *testing.T, topic string, stop <-chan struct{}) (acknowledged []string) {
	writer := newWriter(t, topic, nil)
	// Enough for a broker that takes its time to come back.
	writer.MaxAttempts, writer.WriteBackoffMax = 300, 100*time.Millisecond
	for number := 0; ; number++ {
		select {
		case <-stop:
			return acknowledged
		default:
		}
		value := fmt.Sprintf("record-%d", number)
		if err := writer.WriteMessages(broker.Context(t), kafka.Message{Value: []byte(value)}); err != nil {
			t.Errorf("%s: %v", value, err)
			return acknowledged
		}
		acknowledged = append(acknowledged, value)
	}
}
