package segmentio

import (
	"testing"

	"github.com/segmentio/kafka-go"

	"ottla/clients/broker"
)

// TestCommitResume has no case for auto.offset.reset=none: kafka-go begins at the first or the last offset.
func TestCommitResume(t *testing.T) {
	t.Parallel()
	t.Run("resume", resume)
	t.Run("metadata", metadata)
	t.Run("earliest", resetToFirst)
	t.Run("latest", resetToLast)
}

func resume(t *testing.T) {
	t.Parallel()
	topic, group := newTopic(t, 1), broker.Name("group")
	produce(t, topic, 0, numbered("record", 20)...)
	first := newReader(t, kafka.ReaderConfig{GroupID: group, Topic: topic})
	for range 10 {
		message := next(t, first)
		if err := first.CommitMessages(broker.Context(t), message); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	checkCommitted(t, group, topic, 10, "")
	second := newReader(t, kafka.ReaderConfig{GroupID: group, Topic: topic})
	if message := next(t, second); message.Offset != 10 || string(message.Value) != "record-10" {
		t.Errorf("the next member goes on with %s at %d", message.Value, message.Offset)
	}
}

// metadata cannot be committed by a Reader, but by the requests below it.
func metadata(t *testing.T) {
	t.Parallel()
	topic, group := newTopic(t, 1), broker.Name("group")
	commit(t, group, topic, kafka.OffsetCommit{Partition: 0, Offset: 10, Metadata: "half way"})
	checkCommitted(t, group, topic, 10, "half way")
}

func commit(t *testing.T, group, topic string, offset kafka.OffsetCommit) {
	t.Helper()
	committed, err := newClient(t).OffsetCommit(broker.Context(t), &kafka.OffsetCommitRequest{
		GroupID: group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{topic: {offset}},
	})
	if err != nil || committed.Topics[topic][0].Error != nil {
		t.Fatal(err, committed)
	}
}

func checkCommitted(t *testing.T, group, topic string, want int64, metadata string) {
	t.Helper()
	fetched, err := newClient(t).OffsetFetch(broker.Context(t), &kafka.OffsetFetchRequest{
		GroupID: group, Topics: map[string][]int{topic: {0}},
	})
	if err != nil || fetched.Error != nil {
		t.Fatal(err, fetched)
	}
	if got := fetched.Topics[topic][0]; got.CommittedOffset != want || got.Metadata != metadata || got.Error != nil {
		t.Errorf("committed is %+v, not %d with %q", got, want, metadata)
	}
}

func resetToFirst(t *testing.T) {
	t.Parallel()
	topic := newTopic(t, 1)
	produce(t, topic, 0, numbered("old", 5)...)
	member := newReader(t, kafka.ReaderConfig{GroupID: broker.Name("group"), Topic: topic, StartOffset: kafka.FirstOffset})
	if first := next(t, member); first.Offset != 0 {
		t.Errorf("first begins at %d", first.Offset)
	}
}

func resetToLast(t *testing.T) {
	t.Parallel()
	topic := newTopic(t, 1)
	produce(t, topic, 0, numbered("old", 5)...)
	member := newReader(t, kafka.ReaderConfig{GroupID: broker.Name("group"), Topic: topic, StartOffset: kafka.LastOffset})
	received := make(chan kafka.Message, 1)
	go func() {
		if message, err := member.FetchMessage(broker.Context(t)); err == nil {
			received <- message
		}
	}()
	// Nobody tells when a member has asked where the end is, so new messages come until it has one.
	var first *kafka.Message
	broker.Eventually(t, "a new message", func() bool {
		produce(t, topic, 0, kafka.Message{Value: []byte("new")})
		select {
		case message := <-received:
			first = &message
		default:
		}
		return first != nil
	})
	if string(first.Value) != "new" {
		t.Errorf("last begins with %s at %d", first.Value, first.Offset)
	}
}
