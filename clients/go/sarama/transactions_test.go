package sarama

import (
	"errors"
	"slices"
	"testing"

	"github.com/IBM/sarama"

	"ottla/clients/broker"
)

func TestTransactions(t *testing.T) {
	t.Parallel()
	t.Run("isolation", isolation)
	t.Run("copier", copier)
	t.Run("fencing", fencing)
}

func newTransactionalProducer(t *testing.T, id string) sarama.SyncProducer {
	t.Helper()
	return newProducer(t, idempotent, func(config *sarama.Config) { config.Producer.Transaction.ID = id })
}

func committedOnly(config *sarama.Config) {
	config.Consumer.IsolationLevel = sarama.ReadCommitted
}

func isolation(t *testing.T) {
	t.Parallel()
	topic := newTopic(t, 2)
	producer := newTransactionalProducer(t, broker.Name("producer"))
	inTransaction(t, producer, producer.CommitTxn, twoPartitions(topic, "committed")...)
	inTransaction(t, producer, producer.AbortTxn, twoPartitions(topic, "aborted")...)
	produce(t, text(topic, 0, "end"), text(topic, 1, "end"))

	committed, aborted := sentValues(twoPartitions("", "committed")), sentValues(twoPartitions("", "aborted"))
	ends := []string{"end", "end"}
	checkValues(t, readUntilEnd(t, topic, committedOnly), slices.Concat(committed, ends))
	checkValues(t, readUntilEnd(t, topic), slices.Concat(committed, aborted, ends))
}

func twoPartitions(topic, prefix string) []*sarama.ProducerMessage {
	return append(numbered(topic, 0, prefix+"-0", 5), numbered(topic, 1, prefix+"-1", 5)...)
}

func inTransaction(t *testing.T, producer sarama.SyncProducer, end func() error, messages ...*sarama.ProducerMessage) {
	t.Helper()
	if err := producer.BeginTxn(); err != nil {
		t.Fatal(err)
	}
	if err := producer.SendMessages(messages); err != nil {
		t.Fatal(err)
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
}

func checkValues(t *testing.T, messages []*sarama.ConsumerMessage, want []string) {
	t.Helper()
	got := slices.Sorted(slices.Values(values(messages)))
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
}

func copier(t *testing.T) {
	t.Parallel()
	source, target, group := newTopic(t, 1), newTopic(t, 1), broker.Name("group")
	produce(t, numbered(source, 0, "record", 10)...)
	producer := newTransactionalProducer(t, broker.Name("copier"))

	copyInTransaction(t, producer, producer.AbortTxn, group, source, target)
	checkCommitted(t, group, source, -1)
	copyInTransaction(t, producer, producer.CommitTxn, group, source, target)
	checkCommitted(t, group, source, 10)
	produce(t, text(target, 0, "end"))
	checkValues(t, readUntilEnd(t, target, committedOnly), append(sentValues(numbered("", 0, "record", 10)), "end"))
}

// copyInTransaction lets a member copy ten messages and leave; what it has read is committed by the transaction alone.
func copyInTransaction(t *testing.T, producer sarama.SyncProducer, end func() error, group, source, target string) {
	t.Helper()
	work := func(session sarama.ConsumerGroupSession, messages []*sarama.ConsumerMessage) {
		var copies []*sarama.ProducerMessage
		for _, message := range messages {
			copies = append(copies, text(target, 0, string(message.Value)))
		}
		member := &sarama.ConsumerGroupMetadata{GroupID: group, GenerationID: session.GenerationID(), MemberID: session.MemberID()}
		err := errors.Join(producer.BeginTxn(), producer.SendMessages(copies),
			producer.AddMessageToTxnWithGroupMetadata(messages[len(messages)-1], member, nil), end())
		if err != nil {
			t.Error(err)
		}
	}
	take(t, group, source, 10, work, committedOnly, func(config *sarama.Config) { config.Consumer.Offsets.AutoCommit.Enable = false })
}

func checkCommitted(t *testing.T, group, topic string, want int64) {
	t.Helper()
	offsets, err := newAdmin(t).ListConsumerGroupOffsets(group, map[string][]int32{topic: {0}})
	if err != nil {
		t.Fatal(err)
	}
	if block := offsets.GetGroupBlock(group, topic, 0); block == nil || block.Offset != want {
		t.Errorf("committed is %+v, not %d", block, want)
	}
}

func fencing(t *testing.T) {
	t.Parallel()
	topic, id := newTopic(t, 1), broker.Name("producer")
	first := newTransactionalProducer(t, id)
	if err := errors.Join(first.BeginTxn(), first.SendMessages(numbered(topic, 0, "first", 1))); err != nil {
		t.Fatal(err)
	}
	second := newTransactionalProducer(t, id)
	inTransaction(t, second, second.CommitTxn, numbered(topic, 0, "second", 1)...)
	if err := first.CommitTxn(); !errors.Is(err, sarama.ErrProducerFenced) && !errors.Is(err, sarama.ErrInvalidProducerEpoch) {
		t.Errorf("the first producer is told %v", err)
	}
	produce(t, text(topic, 0, "end"))
	checkValues(t, readUntilEnd(t, topic, committedOnly), []string{"second-0", "end"})
}
