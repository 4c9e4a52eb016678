package franz

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"ottla/clients/broker"
)

func TestTransactions(t *testing.T) {
	t.Parallel()
	t.Run("isolation", isolation)
	t.Run("copier", copier)
	t.Run("fencing", fencing)
}

func isolation(t *testing.T) {
	t.Parallel()
	topic := newTopic(t, 2)
	producer := newClient(t, kgo.TransactionalID(broker.Name("producer")), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	inTransaction(t, producer, kgo.TryCommit, twoPartitions(topic, "committed")...)
	inTransaction(t, producer, kgo.TryAbort, twoPartitions(topic, "aborted")...)
	produce(t, &kgo.Record{Topic: topic, Partition: 0, Value: []byte("end")}, &kgo.Record{Topic: topic, Partition: 1, Value: []byte("end")})

	committed, aborted := values(twoPartitions("", "committed")), values(twoPartitions("", "aborted"))
	checkSeen(t, topic, kgo.ReadCommitted(), committed)
	checkSeen(t, topic, kgo.ReadUncommitted(), slices.Concat(committed, aborted))
}

func twoPartitions(topic, prefix string) []*kgo.Record {
	return append(numbered(topic, 0, prefix+"-0", 5), numbered(topic, 1, prefix+"-1", 5)...)
}

func inTransaction(t *testing.T, producer *kgo.Client, end kgo.TransactionEndTry, records ...*kgo.Record) {
	t.Helper()
	if err := producer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := producer.ProduceSync(broker.Context(t), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := producer.EndTransaction(broker.Context(t), end); err != nil {
		t.Fatal(err)
	}
}

// checkSeen reads both partitions up to their record "end".
func checkSeen(t *testing.T, topic string, level kgo.IsolationLevel, want []string) {
	t.Helper()
	ends := 0
	records := readUntil(t, topic, func(record *kgo.Record) bool {
		if string(record.Value) == "end" {
			ends++
		}
		return ends == 2
	}, kgo.FetchIsolationLevel(level))
	got := slices.DeleteFunc(values(records), func(value string) bool { return value == "end" })
	if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("isolation level %v sees %v", level, got)
	}
}

func copier(t *testing.T) {
	t.Parallel()
	source, target, group := newTopic(t, 1), newTopic(t, 1), broker.Name("group")
	produce(t, numbered(source, 0, "record", 10)...)
	session := newCopier(t, group, source, target)
	copyAll(t, session, 10, kgo.TryAbort)
	checkCommitted(t, group, source, -1)
	copyAll(t, session, 10, kgo.TryCommit)
	checkCommitted(t, group, source, 10)
	produce(t, &kgo.Record{Topic: target, Value: []byte("end")})
	got := readUntil(t, target, func(record *kgo.Record) bool { return string(record.Value) == "end" }, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if len(got) != 11 {
		t.Errorf("the target has %v", values(got))
	}
}

func newCopier(t *testing.T, group, source, target string) *kgo.GroupTransactSession {
	t.Helper()
	session, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(broker.Bootstrap(t)), kgo.TransactionalID(broker.Name("copier")),
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(source), kgo.DefaultProduceTopic(target),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.RequireStableFetchOffsets(), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	return session
}

func copyAll(t *testing.T, session *kgo.GroupTransactSession, count int, end kgo.TransactionEndTry) {
	t.Helper()
	ctx := broker.Context(t)
	if err := session.Begin(); err != nil {
		t.Fatal(err)
	}
	for copied := 0; copied < count; {
		fetches := session.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		for record := range fetches.RecordsAll() {
			if want := fmt.Sprintf("record-%d", copied); string(record.Value) != want {
				t.Errorf("%s comes instead of %s", record.Value, want)
			}
			copied++
			session.Produce(ctx, &kgo.Record{Value: record.Value}, nil)
		}
	}
	if committed, err := session.End(ctx, end); err != nil || committed != bool(end) {
		t.Fatalf("the transaction ended with committed %t, %v", committed, err)
	}
}

func checkCommitted(t *testing.T, group, topic string, want int64) {
	t.Helper()
	offsets, err := newAdmin(t).FetchOffsets(broker.Context(t), group)
	if err != nil {
		t.Fatal(err)
	}
	got := int64(-1)
	if offset, found := offsets.Lookup(topic, 0); found {
		got = offset.At
	}
	if got != want {
		t.Errorf("committed is %d, not %d", got, want)
	}
}

func fencing(t *testing.T) {
	t.Parallel()
	topic, id := newTopic(t, 1), kgo.TransactionalID(broker.Name("producer"))
	first, second := newClient(t, id), newClient(t, id)
	if err := first.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := first.ProduceSync(broker.Context(t), &kgo.Record{Topic: topic, Value: []byte("first")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	inTransaction(t, second, kgo.TryCommit, &kgo.Record{Topic: topic, Value: []byte("second")})
	err := first.EndTransaction(broker.Context(t), kgo.TryCommit)
	if !errors.Is(err, kerr.ProducerFenced) && !errors.Is(err, kerr.InvalidProducerEpoch) {
		t.Errorf("the first producer is told %v", err)
	}
	produce(t, &kgo.Record{Topic: topic, Value: []byte("end")})
	got := readUntil(t, topic, func(record *kgo.Record) bool { return string(record.Value) == "end" }, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if want := []string{"second", "end"}; !slices.Equal(values(got), want) {
		t.Errorf("committed are %v", values(got))
	}
}
