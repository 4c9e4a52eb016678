package franz

import (
	"context"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"ottla/clients/broker"
)

// TestOffsetsTopic reads what groups commit out of the topic in which Kafka keeps it, as monitors of lag do. It kills the broker, so it
// is not parallel.
func TestOffsetsTopic(t *testing.T) {
	source, target, group := newTopic(t, 1), newTopic(t, 1), broker.Name("group")
	byHand := func(offset int64, metadata string) {
		t.Helper()
		var offsets kadm.Offsets
		offsets.Add(kadm.Offset{Topic: source, At: offset, LeaderEpoch: -1, Metadata: metadata})
		if err := newAdmin(t).CommitAllOffsets(broker.Context(t), group, offsets); err != nil {
			t.Fatal(err)
		}
	}
	byHand(0, "before any monitor")
	committed, all := watchOffsets(t, group, kgo.ReadCommitted()), watchOffsets(t, group, kgo.ReadUncommitted())
	abortCommit(t, group, source, 4)
	produce(t, numbered(source, 0, "record", 10)...)
	copier := newCopier(t, group, source, target)
	copyAll(t, copier, 10, kgo.TryCommit)
	copier.Close()
	broker.Restart(t)
	byHand(3, "after a restart")

	committed.check(t, 0, 10, 3)
	all.check(t, 0, 4, 10, 3)
	if committed.metadata != "after a restart" || !committed.hadMember || committed.hasMember {
		t.Errorf("the last metadata is %q, a member was there: %t, and is: %t", committed.metadata, committed.hadMember, committed.hasMember)
	}
}

// abortCommit commits an offset in a transaction and aborts it. The client itself would leave the commit out, hence the requests.
func abortCommit(t *testing.T, group, topic string, offset int64) {
	t.Helper()
	ctx, id := broker.Context(t), broker.Name("producer")
	client := newClient(t, kgo.TransactionalID(id))
	producer, epoch, err := client.ProducerID(ctx)
	if err != nil {
		t.Fatal(err)
	}
	add := kmsg.AddOffsetsToTxnRequest{TransactionalID: id, ProducerID: producer, ProducerEpoch: epoch, Group: group}
	if added, err := add.RequestWith(ctx, client); err != nil || added.ErrorCode != 0 {
		t.Fatal(added, err)
	}
	partition := kmsg.TxnOffsetCommitRequestTopicPartition{Offset: offset, LeaderEpoch: -1}
	topics := []kmsg.TxnOffsetCommitRequestTopic{{Topic: topic, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{partition}}}
	commit := kmsg.TxnOffsetCommitRequest{TransactionalID: id, ProducerID: producer, ProducerEpoch: epoch, Group: group, Generation: -1, Topics: topics}
	if committed, err := commit.RequestWith(ctx, client); err != nil || committed.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatal(committed, err)
	}
	end := kmsg.EndTxnRequest{TransactionalID: id, ProducerID: producer, ProducerEpoch: epoch}
	if ended, err := end.RequestWith(ctx, client); err != nil || ended.ErrorCode != 0 {
		t.Fatal(ended, err)
	}
}

// offsetsMonitor follows one group in __consumer_offsets.
type offsetsMonitor struct {
	client               *kgo.Client
	group                string
	offsets              []int64
	metadata             string
	hadMember, hasMember bool
}

func watchOffsets(t *testing.T, group string, level kgo.IsolationLevel) *offsetsMonitor {
	t.Helper()
	client := newClient(t, kgo.ConsumeTopics("__consumer_offsets"), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(level))
	monitor := &offsetsMonitor{client: client, group: group}
	monitor.follow(t, 1)
	return monitor
}

func (m *offsetsMonitor) check(t *testing.T, want ...int64) {
	t.Helper()
	m.follow(t, len(want))
	if !slices.Equal(m.offsets, want) {
		t.Errorf("the monitor saw the commits %v, not %v", m.offsets, want)
	}
}

// follow reads until it has seen so many commits.
func (m *offsetsMonitor) follow(t *testing.T, count int) {
	t.Helper()
	for ctx := broker.Context(t); len(m.offsets) < count; {
		fetches := m.client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			t.Fatalf("the monitor saw only %v: %v", m.offsets, context.Cause(ctx))
		}
		fetches.EachRecord(func(record *kgo.Record) {
			if err := m.see(record); err != nil {
				t.Errorf("a record that cannot be read: %v", err)
			}
		})
	}
}

// see takes the kinds of records that Kafka has for the classic protocol, and leaves out others.
func (m *offsetsMonitor) see(record *kgo.Record) error {
	switch kind := binary.BigEndian.Uint16(record.Key); {
	case kind <= 1 && record.Value != nil:
		return m.seeCommit(record)
	case kind == 2 && record.Value != nil:
		return m.seeGroup(record)
	}
	return nil
}

func (m *offsetsMonitor) seeCommit(record *kgo.Record) error {
	var key kmsg.OffsetCommitKey
	var value kmsg.OffsetCommitValue
	if err := key.ReadFrom(record.Key); err != nil || key.Group != m.group {
		return err
	}
	if err := value.ReadFrom(record.Value); err != nil {
		return err
	}
	m.offsets, m.metadata = append(m.offsets, value.Offset), value.Metadata
	return nil
}

func (m *offsetsMonitor) seeGroup(record *kgo.Record) error {
	var key kmsg.GroupMetadataKey
	var value kmsg.GroupMetadataValue
	if err := key.ReadFrom(record.Key); err != nil || key.Group != m.group {
		return err
	}
	if err := value.ReadFrom(record.Value); err != nil {
		return err
	}
	m.hasMember = len(value.Members) > 0
	m.hadMember = m.hadMember || m.hasMember
	return nil
}
