package franz

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"ottla/clients/broker"
)

func TestLargeMessages(t *testing.T) {
	t.Parallel()
	t.Run("default", largeByDefault)
	t.Run("too large", tooLarge)
	t.Run("larger than a fetch", largerThanFetch)
}

func largeByDefault(t *testing.T) {
	t.Parallel()
	topic, value := newTopic(t, 1), noise(900_000)
	produce(t, &kgo.Record{Topic: topic, Value: value})
	if records := readAll(t, topic); !bytes.Equal(records[0].Value, value) {
		t.Error("the value has changed")
	}
}

func tooLarge(t *testing.T) {
	t.Parallel()
	topic := newTopic(t, 1, "max.message.bytes", "100000")
	producer := newClient(t, kgo.ProducerBatchCompression(kgo.NoCompression()))
	err := producer.ProduceSync(broker.Context(t), &kgo.Record{Topic: topic, Value: noise(200_000)}).FirstErr()
	if !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("the error is %v", err)
	}
}

func largerThanFetch(t *testing.T) {
	t.Parallel()
	topic, value := newTopic(t, 1, "max.message.bytes", "5000000"), noise(4_000_000)
	producer := newClient(t, kgo.ProducerBatchMaxBytes(5_000_000), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err := producer.ProduceSync(broker.Context(t), &kgo.Record{Topic: topic, Value: value}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if records := readAll(t, topic, kgo.FetchMaxBytes(10_000), kgo.FetchMaxPartitionBytes(10_000)); !bytes.Equal(records[0].Value, value) {
		t.Error("the value has changed")
	}
}

// noise cannot be compressed, so that its size is the size of its batch.
func noise(size int) []byte {
	noise := make([]byte, size)
	rand.Read(noise)
	return noise
}

func TestHeadersTombstones(t *testing.T) {
	t.Parallel()
	topic := newTopic(t, 1)
	sent := []*kgo.Record{
		{Key: []byte("headers"), Value: []byte("v"), Headers: []kgo.RecordHeader{
			{Key: "binary", Value: []byte{0, 255, 10}}, {Key: "empty", Value: []byte{}}, {Key: "null"},
			{Key: "twice", Value: []byte("1")}, {Key: "twice", Value: []byte("2")}, {Key: "", Value: []byte("no name")},
		}},
		{Key: []byte("tombstone")},
		{Value: []byte("no key")},
		{Key: []byte("empty value"), Value: []byte{}},
		{Key: []byte{}, Value: []byte("empty key")},
	}
	for _, record := range sent {
		record.Topic = topic
	}
	produce(t, sent...)
	for number, got := range readAll(t, topic) {
		want := sent[number]
		if !same(got.Key, want.Key) || !same(got.Value, want.Value) {
			t.Errorf("%q:%q came back as %q:%q (nil: %t, %t)", want.Key, want.Value, got.Key, got.Value, got.Key == nil, got.Value == nil)
		}
		if !slices.EqualFunc(got.Headers, want.Headers, func(a, b kgo.RecordHeader) bool { return a.Key == b.Key && same(a.Value, b.Value) }) {
			t.Errorf("headers came back as %v", got.Headers)
		}
	}
}

// same tells null from empty.
func same(a, b []byte) bool {
	return (a == nil) == (b == nil) && bytes.Equal(a, b)
}

func TestTimestamps(t *testing.T) {
	t.Parallel()
	t.Run("create time", createTime)
	t.Run("log append time", logAppendTime)
}

func createTime(t *testing.T) {
	t.Parallel()
	topic, begin := newTopic(t, 1), time.UnixMilli(1_700_000_000_000)
	for number, record := range numbered(topic, 0, "record", 3) {
		record.Timestamp = begin.Add(time.Duration(number) * time.Second)
		produce(t, record)
	}
	for number, record := range readAll(t, topic) {
		if want := begin.Add(time.Duration(number) * time.Second); !record.Timestamp.Equal(want) || record.Attrs.TimestampType() != 0 {
			t.Errorf("record %d has the time %v, type %d", number, record.Timestamp, record.Attrs.TimestampType())
		}
	}
	for after, want := range map[int64]int64{0: 0, 1: 1, 1000: 1, 2000: 2, 2001: 3} {
		checkOffsetByTime(t, topic, begin.UnixMilli()+after, want)
	}
}

func logAppendTime(t *testing.T) {
	t.Parallel()
	topic, before := newTopic(t, 1, "message.timestamp.type", "LogAppendTime"), time.Now().Truncate(time.Millisecond)
	produce(t, &kgo.Record{Topic: topic, Timestamp: time.UnixMilli(1_700_000_000_000)})
	got := readAll(t, topic)[0]
	if got.Timestamp.Before(before) || got.Timestamp.After(time.Now()) || got.Attrs.TimestampType() != 1 {
		t.Errorf("the time is %v, type %d", got.Timestamp, got.Attrs.TimestampType())
	}
}

// checkOffsetByTime asks with kadm, which names the end of the partition where no record is late enough, with the time -1.
func checkOffsetByTime(t *testing.T, topic string, millisecond, want int64) {
	t.Helper()
	listed, err := newAdmin(t).ListOffsetsAfterMilli(broker.Context(t), millisecond, topic)
	if err != nil {
		t.Fatal(err)
	}
	found, _ := listed.Lookup(topic, 0)
	if found.Offset != want || (want == 3) != (found.Timestamp == -1) {
		t.Errorf("from %d on: offset %d with the time %d, not %d", millisecond, found.Offset, found.Timestamp, want)
	}
}
