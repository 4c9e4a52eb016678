package sarama

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/IBM/sarama"

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
	produce(t, &sarama.ProducerMessage{Topic: topic, Value: sarama.ByteEncoder(value)})
	if messages := readAll(t, topic); !bytes.Equal(messages[0].Value, value) {
		t.Error("the value has changed")
	}
}

func tooLarge(t *testing.T) {
	t.Parallel()
	topic := newTopic(t, 1, "max.message.bytes", "100000")
	_, _, err := newProducer(t).SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.ByteEncoder(noise(200_000))})
	if !errors.Is(err, sarama.ErrMessageSizeTooLarge) {
		t.Errorf("the error is %v", err)
	}
}

func largerThanFetch(t *testing.T) {
	t.Parallel()
	topic, value := newTopic(t, 1, "max.message.bytes", "5000000"), noise(4_000_000)
	producer := newProducer(t, func(config *sarama.Config) { config.Producer.MaxMessageBytes = 5_000_000 })
	if _, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.ByteEncoder(value)}); err != nil {
		t.Fatal(err)
	}
	messages := readAll(t, topic, func(config *sarama.Config) {
		config.Consumer.Fetch.Default = 10_000
		config.Consumer.Fetch.MaxBytes = 10_000
	})
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
	headers := []sarama.RecordHeader{
		{Key: []byte("binary"), Value: []byte{0, 255, 10}}, {Key: []byte("empty"), Value: []byte{}}, {Key: []byte("null")},
		{Key: []byte("twice"), Value: []byte("1")}, {Key: []byte("twice"), Value: []byte("2")},
	}
	sent := []struct {
		key, value []byte
		headers    []sarama.RecordHeader
	}{
		{[]byte("headers"), []byte("v"), headers},
		{[]byte("tombstone"), nil, nil},
		{nil, []byte("no key"), nil},
		{[]byte("empty value"), []byte{}, nil},
		{[]byte{}, []byte("empty key"), nil},
	}
	for _, record := range sent {
		produce(t, &sarama.ProducerMessage{Topic: topic, Key: encoder(record.key), Value: encoder(record.value), Headers: record.headers})
	}
	for number, got := range readAll(t, topic) {
		want := sent[number]
		if !same(got.Key, want.key) || !same(got.Value, want.value) {
			t.Errorf("%q:%q came back as %q:%q (nil: %t, %t)", want.key, want.value, got.Key, got.Value, got.Key == nil, got.Value == nil)
		}
		if len(got.Headers) != len(want.headers) {
			t.Fatalf("%d headers, not %d", len(got.Headers), len(want.headers))
		}
		for i, header := range got.Headers {
			if !same(header.Key, want.headers[i].Key) || !same(header.Value, want.headers[i].Value) {
				t.Errorf("header %d came back as %q:%q (nil: %t)", i, header.Key, header.Value, header.Value == nil)
			}
		}
	}
}

// encoder of nothing is nil, which is Sarama's null.
func encoder(content []byte) sarama.Encoder {
	if content == nil {
		return nil
	}
	return sarama.ByteEncoder(content)
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
	for number, message := range numbered(topic, 0, "record", 3) {
		message.Timestamp = begin.Add(time.Duration(number) * time.Second)
		produce(t, message)
	}
	for number, message := range readAll(t, topic) {
		if want := begin.Add(time.Duration(number) * time.Second); !message.Timestamp.Equal(want) {
			t.Errorf("message %d has the time %v", number, message.Timestamp)
		}
	}
	for after, want := range map[int64]int64{0: 0, 1: 1, 1000: 1, 2000: 2, 2001: -1} {
		checkOffsetByTime(t, topic, begin.UnixMilli()+after, want)
	}
}

func logAppendTime(t *testing.T) {
	t.Parallel()
	topic, before := newTopic(t, 1, "message.timestamp.type", "LogAppendTime"), time.Now().Truncate(time.Millisecond)
	sent := text(topic, 0, "v")
	sent.Timestamp = time.UnixMilli(1_700_000_000_000)
	produce(t, sent)
	got := readAll(t, topic)[0]
	if got.Timestamp.Before(before) || got.Timestamp.After(time.Now()) || !sent.Timestamp.Equal(got.Timestamp) {
		t.Errorf("the time is %v, and the producer was told %v", got.Timestamp, sent.Timestamp)
	}
}

func checkOffsetByTime(t *testing.T, topic string, millisecond, want int64) {
	t.Helper()
	client, err := sarama.NewClient([]string{broker.Bootstrap(t)}, newConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if got, err := client.GetOffset(topic, 0, millisecond); err != nil || got != want {
		t.Errorf("from %d on: offset %d, not %d (%v)", millisecond, got, want, err)
	}
}
