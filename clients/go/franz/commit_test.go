package franz

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"ottla/clients/broker"
)

func TestCommitResume(t *testing.T) {
	t.Parallel()
	t.Run("resume", resume)
	t.Run("earliest", resetToEarliest)
	t.Run("latest", resetToLatest)
	t.Run("none", resetToNone)
}

func resume(t *testing.T) {
	t.Parallel()
	topic, group := newTopic(t, 1), broker.Name("group")
	produce(t, numbered(topic, 0, "record", 20)...)
	first := newMember(t, group, topic, kgo.NewOffset().AtStart())
	read := first.PollRecords(broker.Context(t), 10)
	for read.NumRecords() < 10 && read.Err() == nil {
		read = append(read, first.PollRecords(broker.Context(t), 10-read.NumRecords())...)
	}
	withMetadata := kgo.PreCommitFnContext(broker.Context(t), func(request *kmsg.OffsetCommitRequest) error {
		request.Topics[0].Partitions[0].Metadata = kmsg.StringPtr("half way")
		return nil
	})
	if err := first.CommitRecords(withMetadata, read.Records()...); err != nil {
		t.Fatal(err)
	}
	first.Close()

	committed, err := newAdmin(t).FetchOffsets(broker.Context(t), group)
	if err != nil {
		t.Fatal(err)
	}
	if offset, _ := committed.Lookup(topic, 0); offset.At != 10 || offset.Metadata != "half way" {
		t.Errorf("committed is %d with %q", offset.At, offset.Metadata)
	}
	second := newMember(t, group, topic, kgo.NewOffset().AtStart())
	if next := poll(t, second)[0]; next.Offset != 10 || string(next.Value) != "record-10" {
		t.Errorf("the next member goes on with %s at %d", next.Value, next.Offset)
	}
}

func resetToEarliest(t *testing.T) {
	t.Parallel()
	topic := newTopic(t, 1)
	produce(t, numbered(topic, 0, "old", 5)...)
	member := newMember(t, broker.Name("group"), topic, kgo.NewOffset().AtStart())
	if first := poll(t, member)[0]; first.Offset != 0 {
		t.Errorf("earliest begins at %d", first.Offset)
	}
}

func resetToLatest(t *testing.T) {
	t.Parallel()
	topic := newTopic(t, 1)
	produce(t, numbered(topic, 0, "old", 5)...)
	member := newMember(t, broker.Name("group"), topic, kgo.NewOffset().AtEnd())
	received := make(chan *kgo.Record, 1)
	go func() {
		if records := member.PollFetches(broker.Context(t)).Records(); len(records) > 0 {
			received <- records[0]
		}
	}()
	// Nobody tells when a member has asked where the end is, so new records come until it has one.
	var first *kgo.Record
	broker.Eventually(t, "a new record", func() bool {
		produce(t, numbered(topic, 0, "new", 1)...)
		select {
		case first = <-received:
		default:
		}
		return first != nil
	})
	if !strings.HasPrefix(string(first.Value), "new") {
		t.Errorf("latest begins with %s at %d", first.Value, first.Offset)
	}
}

func resetToNone(t *testing.T) {
	t.Parallel()
	topic := newTopic(t, 1)
	produce(t, numbered(topic, 0, "old", 5)...)
	ctx := broker.Context(t)
	fetches := newMember(t, broker.Name("group"), topic, kgo.NewOffset().AtCommitted()).PollFetches(ctx)
	if fetches.NumRecords() > 0 || fetches.Err() == nil || ctx.Err() != nil {
		t.Errorf("a group without commits gets %v, %v", values(fetches.Records()), fetches.Err())
	}
}

func newMember(t *testing.T, group, topic string, start kgo.Offset) *kgo.Client {
	t.Helper()
	return newClient(t, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(start), kgo.DisableAutoCommit(),
		kgo.HeartbeatInterval(200*time.Millisecond))
}

// poll waits for the next records, at least one.
func poll(t *testing.T, member *kgo.Client) []*kgo.Record {
	t.Helper()
	for ctx := broker.Context(t); ; {
		fetches := member.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		if fetches.NumRecords() > 0 {
			return fetches.Records()
		}
	}
}
