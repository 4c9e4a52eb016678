// Package franz runs the client matrix with franz-go.
package franz

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"ottla/clients/broker"
)

func newClient(t testing.TB, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(broker.Bootstrap(t)),
		// The default of 5 s is how long a look at topics may be old, and how long a client may wait for a broker that is back already.
		kgo.MetadataMinAge(100 * time.Millisecond),
	}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseAllowingRebalance)
	return client
}

func newAdmin(t testing.TB) *kadm.Client {
	t.Helper()
	return kadm.NewClient(newClient(t))
}

func newTopic(t testing.TB, partitions int32, configs ...string) string {
	t.Helper()
	values := map[string]*string{}
	for i := 0; i < len(configs); i += 2 {
		values[configs[i]] = &configs[i+1]
	}
	name := broker.Name("topic")
	if _, err := newAdmin(t).CreateTopic(broker.Context(t), partitions, 1, values, name); err != nil {
		t.Fatal(err)
	}
	return name
}

// produce sends to the partitions that the records name, and waits for all.
func produce(t testing.TB, records ...*kgo.Record) {
	t.Helper()
	producer := newClient(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := producer.ProduceSync(broker.Context(t), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func numbered(topic string, partition int32, prefix string, count int) []*kgo.Record {
	records := make([]*kgo.Record, count)
	for number := range records {
		records[number] = &kgo.Record{Topic: topic, Partition: partition, Value: fmt.Appendf(nil, "%s-%d", prefix, number)}
	}
	return records
}

// readAll reads a topic without transactions from its beginning to its end.
func readAll(t testing.TB, topic string, options ...kgo.Opt) []*kgo.Record {
	t.Helper()
	ends, err := newAdmin(t).ListEndOffsets(broker.Context(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	missing := map[int32]int64{}
	ends.Each(func(end kadm.ListedOffset) {
		if end.Offset > 0 {
			missing[end.Partition] = end.Offset
		}
	})
	return readUntil(t, topic, func(record *kgo.Record) bool {
		if record.Offset+1 >= missing[record.Partition] {
			delete(missing, record.Partition)
		}
		return len(missing) == 0
	}, options...)
}

// readUntil reads from the beginning up to the record that the caller calls the last one.
func readUntil(t testing.TB, topic string, last func(*kgo.Record) bool, options ...kgo.Opt) []*kgo.Record {
	t.Helper()
	start := kgo.ConsumeStartOffset(kgo.NewOffset().AtStart())
	consumer := newClient(t, append([]kgo.Opt{kgo.ConsumeTopics(topic), start}, options...)...)
	var records []*kgo.Record
	for ctx := broker.Context(t); ; {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %d records: %v", len(records), err)
		}
		for record := range fetches.RecordsAll() {
			records = append(records, record)
			if last(record) {
				return records
			}
		}
	}
}

func values(records []*kgo.Record) []string {
	var values []string
	for _, record := range records {
		values = append(values, string(record.Value))
	}
	return values
}
