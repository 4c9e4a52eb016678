package franz

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"ottla/clients/broker"
)

func TestProduceCodecs(t *testing.T) {
	t.Parallel()
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	numbers := map[string]uint8{"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
	for name, codec := range codecs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t, 3)
			produceKeyed(t, topic, codec)
			records := readAll(t, topic)
			checkKeyed(t, records)
			for _, record := range records {
				if got := record.Attrs.CompressionType(); got != numbers[name] {
					t.Fatalf("a batch has codec %d", got)
				}
			}
		})
	}
}

func produceKeyed(t *testing.T, topic string, codec kgo.CompressionCodec) {
	producer := newClient(t, kgo.ProducerBatchCompression(codec), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.DefaultProduceTopic(topic))
	var records []*kgo.Record
	for number := range 100 {
		records = append(records, &kgo.Record{Key: fmt.Appendf(nil, "key-%d", number%10), Value: fmt.Appendf(nil, "value-%d", number)})
	}
	if err := producer.ProduceSync(broker.Context(t), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func checkKeyed(t *testing.T, records []*kgo.Record) {
	if len(records) != 100 {
		t.Errorf("%d records, not 100", len(records))
	}
	keys, homes, used := map[string]string{}, map[string]int32{}, map[int32]bool{}
	for _, record := range records {
		key, value := string(record.Key), string(record.Value)
		if _, twice := keys[value]; twice {
			t.Errorf("%s is there twice", value)
		}
		if home, known := homes[key]; known && home != record.Partition {
			t.Errorf("%s is in partitions %d and %d", key, home, record.Partition)
		}
		keys[value], homes[key], used[record.Partition] = key, record.Partition, true
	}
	for number := range 100 {
		if got := keys[fmt.Sprintf("value-%d", number)]; got != fmt.Sprintf("key-%d", number%10) {
			t.Errorf("value-%d has key %q", number, got)
		}
	}
	if len(used) != 3 {
		t.Errorf("%d of 3 partitions are used", len(used))
	}
}

func TestProduceIdempotent(t *testing.T) {
	t.Parallel()
	topic := newTopic(t, 1)
	producer := newClient(t, kgo.ProducerBatchMaxBytes(1024))
	var mutex sync.Mutex
	var failures []error
	for _, record := range numbered(topic, 0, "record", 1000) {
		producer.Produce(broker.Context(t), record, func(_ *kgo.Record, err error) {
			mutex.Lock()
			defer mutex.Unlock()
			failures = append(failures, err)
		})
	}
	if err := producer.Flush(broker.Context(t)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(failures...); err != nil {
		t.Fatal(err)
	}
	records := readAll(t, topic)
	if len(records) != 1000 {
		t.Fatalf("%d records", len(records))
	}
	for number, record := range records {
		if record.Offset != int64(number) || string(record.Value) != fmt.Sprintf("record-%d", number) {
			t.Fatalf("%s at %d, as number %d", record.Value, record.Offset, number)
		}
		if record.ProducerID < 0 {
			t.Fatal("a batch without a producer id")
		}
	}
}
