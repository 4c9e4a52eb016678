package sarama

import (
	"context"
	"strings"
	"testing"

	"github.com/IBM/sarama"

	"ottla/clients/broker"
)

// TestCommitResume has no case for auto.offset.reset=none: Sarama begins at the oldest or the newest offset.
func TestCommitResume(t *testing.T) {
	t.Parallel()
	t.Run("resume", resume)
	t.Run("earliest", resetToEarliest)
	t.Run("latest", resetToLatest)
}

func resume(t *testing.T) {
	t.Parallel()
	topic, group := newTopic(t, 1), broker.Name("group")
	produce(t, numbered(topic, 0, "record", 20)...)
	take(t, group, topic, 10, func(session sarama.ConsumerGroupSession, messages []*sarama.ConsumerMessage) {
		session.MarkMessage(messages[9], "half way")
		session.Commit()
	})
	offsets, err := newAdmin(t).ListConsumerGroupOffsets(group, map[string][]int32{topic: {0}})
	if err != nil {
		t.Fatal(err)
	}
	if block := offsets.GetGroupBlock(group, topic, 0); block == nil || block.Offset != 10 || block.Metadata != "half way" {
		t.Errorf("committed is %+v", block)
	}
	if next := take(t, group, topic, 1, nil)[0]; next.Offset != 10 || string(next.Value) != "record-10" {
		t.Errorf("the next member goes on with %s at %d", next.Value, next.Offset)
	}
}

func resetToEarliest(t *testing.T) {
	t.Parallel()
	topic := newTopic(t, 1)
	produce(t, numbered(topic, 0, "old", 5)...)
	if first := take(t, broker.Name("group"), topic, 1, nil)[0]; first.Offset != 0 {
		t.Errorf("oldest begins at %d", first.Offset)
	}
}

func resetToLatest(t *testing.T) {
	t.Parallel()
	topic := newTopic(t, 1)
	produce(t, numbered(topic, 0, "old", 5)...)
	received := make(chan *sarama.ConsumerMessage, 1)
	go func() {
		received <- take(t, broker.Name("group"), topic, 1, nil, func(config *sarama.Config) {
			config.Consumer.Offsets.Initial = sarama.OffsetNewest
		})[0]
	}()
	// Nobody tells when a member has asked where the end is, so new messages come until it has one.
	var first *sarama.ConsumerMessage
	broker.Eventually(t, "a new message", func() bool {
		produce(t, text(topic, 0, "new"))
		select {
		case first = <-received:
		default:
		}
		return first != nil
	})
	if !strings.HasPrefix(string(first.Value), "new") {
		t.Errorf("newest begins with %s at %d", first.Value, first.Offset)
	}
}

type batchWork func(sarama.ConsumerGroupSession, []*sarama.ConsumerMessage)

// take lets a member of a group read so many messages of partition 0, do its work with them, and leave.
func take(t *testing.T, group, topic string, count int, work batchWork, changes ...func(*sarama.Config)) []*sarama.ConsumerMessage {
	t.Helper()
	member, err := sarama.NewConsumerGroup(addresses(t), group, newConfig(changes...))
	if err != nil {
		t.Fatal(err)
	}
	defer member.Close()
	ctx, leave := context.WithCancel(broker.Context(t))
	defer leave()
	taker := &takingHandler{count: count, work: work, leave: leave}
	for ctx.Err() == nil {
		if err := member.Consume(ctx, []string{topic}, taker); err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
	}
	if len(taker.messages) != count {
		t.Fatalf("only %d messages of %d came", len(taker.messages), count)
	}
	return taker.messages
}

type takingHandler struct {
	count    int
	work     batchWork
	leave    context.CancelFunc
	messages []*sarama.ConsumerMessage
}

func (*takingHandler) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*takingHandler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (h *takingHandler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		h.messages = append(h.messages, message)
		if len(h.messages) == h.count {
			if h.work != nil {
				h.work(session, h.messages)
			}
			h.leave()
			return nil
		}
	}
	return nil
}
