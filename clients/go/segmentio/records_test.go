package segmentio

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

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
	produce(t, topic, 0, kafka.Message{Value: value})
	if messages := readAll(t, topic, 1); !bytes.Equal(messages[0].Value, value) {
		t.Error("the value has changed")
	}
}

func tooLarge(t *testing.T) {
	t.Parallel()
	topic := newTopic(t, 1, "max.message.bytes", "100000")
	err := newWriter(t, topic, nil).WriteMessages(broker.Context(t), kafka.Message{Value: noise(200_000)})
	var failed kafka.WriteErrors
	if !errors.As(err, &failed) || !errors.Is(failed[0], kafka.MessageSizeTooLarge) {
		t.Errorf("the error is %v", err)
	}
}

func largerThanFetch(t *testing.T) {
	t.Parallel()
	topic, value := newTopic(t, 1, "max.message.bytes", "5000000"), noise(4_000_000)
	writer := newWriter(t, topic, nil)
	writer.BatchBytes = 5_000_000
	if err := writer.WriteMessages(broker.Context(t), kafka.Message{Value: value}); err != nil {
		t.Fatal(err)
	}
	messages := readPartition(t, kafka.ReaderConfig{Topic: topic, MinBytes: 1, MaxBytes: 10_000})
	if !bytes.Equal(messages[0].Value, value) {
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
	sent := []kafka.Message{
		{Key: []byte("headers"), Value: []byte("v"), Headers: []kafka.Header{
			{Key: "binary", Value: []byte{0, 255, 10}}, {Key: "empty", Value: []byte{}}, {Key: "null"},
			{Key: "twice", Value: []byte("1")}, {Key: "twice", Value: []byte("2")}, {Key: "", Value: []byte("no name")},
		}},
		{Key: []byte("tombstone")},
		{Value: []byte("no key")},
		{Key: []byte("empty value"), Value: []byte{}},
		{Key: []byte{}, Value: []byte("empty key")},
	}
	produce(t, topic, 0, sent...)
	for number, got := range fetchAll(t, topic, len(sent)) {
		want := sent[number]
		if !same(got.Key, want.Key) || !same(got.Value, want.Value) {
			t.Errorf("%q:%q came back as %q:%q (nil: %t, %t)", want.Key, want.Value, got.Key, got.Value, got.Key == nil, got.Value == nil)
		}
		if !slices.EqualFunc(got.Headers, want.Headers, func(a, b kafka.Header) bool { return a.Key == b.Key && same(a.Value, b.Value) }) {
			t.Errorf("headers came back as %v", got.Headers)
		}
	}
}

// fetchAll reads below a Reader, which does not tell null from empty.
func fetchAll(t *testing.T, topic string, count int) (messages []kafka.Message) {
	t.Helper()
	client := newClient(t)
	for ctx := broker.Context(t); len(messages) < count; {
		fetched, err := client.Fetch(ctx, &kafka.FetchRequest{Topic: topic, Offset: int64(len(messages)), MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second})
		if err != nil || fetched.Error != nil {
			t.Fatal(err, fetched)
		}
		for {
			record, err := fetched.Records.ReadRecord()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			messages = append(messages, kafka.Message{Key: content(t, record.Key), Value: content(t, record.Value), Headers: record.Headers})
		}
	}
	return messages
}

func content(t *testing.T, bytes kafka.Bytes) []byte {
	t.Helper()
	content, err := kafka.ReadAll(bytes)
	if err != nil {
		t.Fatal(err)
	}
	return content
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
	messages := numbered("record", 3)
	for number := range messages {
		messages[number].Time = begin.Add(time.Duration(number) * time.Second)
	}
	produce(t, topic, 0, messages...)
	for number, message := range readAll(t, topic, 1) {
		if want := begin.Add(time.Duration(number) * time.Second); !message.Time.Equal(want) {
			t.Errorf("message %d has the time %v", number, message.Time)
		}
	}
	for after, want := range map[int64]int64{0: 0, 1: 1, 1000: 1, 2000: 2, 2001: -1} {
		at := begin.Add(time.Duration(after) * time.Millisecond)
		if found := listed(t, topic, kafka.TimeOffsetOf(0, at)).Offsets; len(found) != 1 || !hasKey(found, want) {
			t.Errorf("from %v on: %v, not %d", at, found, want)
		}
	}
}

func logAppendTime(t *testing.T) {
	t.Parallel()
	topic, before := newTopic(t, 1, "message.timestamp.type", "LogAppendTime"), time.Now().Truncate(time.Millisecond)
	// A Reader shows the producer's time all the same; the answer to a request has the broker's, and finds the record by it.
	sent := kafka.Record{Time: time.UnixMilli(1_700_000_000_000), Value: kafka.NewBytes([]byte("v"))}
	produced, err := newClient(t).Produce(broker.Context(t), &kafka.ProduceRequest{
		Topic: topic, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(sent)})
	if err != nil || produced.Error != nil {
		t.Fatal(err, produced)
	}
	got := produced.LogAppendTime
	if got.Before(before) || got.After(time.Now()) {
		t.Errorf("the time is %v", got)
	}
	if found := listed(t, topic, kafka.TimeOffsetOf(0, got)).Offsets; !found[0].Equal(got) {
		t.Errorf("from %v on: %v", got, found)
	}
}

func hasKey(found map[int64]time.Time, key int64) bool {
	_, there := found[key]
	return there
}
