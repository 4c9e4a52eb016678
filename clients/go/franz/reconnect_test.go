package franz

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"ottla/clients/broker"
	"ottla/clients/groups"
)

// TestReconnect kills the broker of all tests, so it is not parallel: it ends before the parallel ones go on.
func TestReconnect(t *testing.T) {
	group := newGroup(t)
	observer := groups.Watch(t)
	leave := group.Join(observer, "member")
	stop, acknowledged := make(chan struct{}), make(chan []string)
	go func() { acknowledged <- produceUntil(t, group.topic, stop) }()
	observer.AwaitCount(20)
	broker.Restart(t)
	before := observer.Count()
	observer.AwaitCount(before + 20)
	close(stop)
	sent := <-acknowledged
	observer.AwaitProcessed(sent...)
	leave()

	there := map[string]int{}
	for _, value := range values(readAll(t, group.topic)) {
		there[value]++
	}
	for _, value := range sent {
		if there[value] != 1 {
			t.Errorf("%s was acknowledged and is there %d times", value, there[value])
		}
	}
	group.Send("afterwards")
	if next := poll(t, newMember(t, group.name, group.topic, kgo.NewOffset().AtStart())); string(next[0].Value) != "afterwards" {
		t.Errorf("the group goes on with %v", values(next))
	}
}

// produceUntil sends one record after the other and returns those that were acknowledged.
func produceUntil(t *testing.T, topic string, stop <-chan struct{}) (acknowledged []string) {
	producer := newClient(t, kgo.DefaultProduceTopic(topic))
	for number := 0; ; number++ {
		select {
		case <-stop:
			return acknowledged
		default:
		}
		value := fmt.Sprintf("record-%d", number)
		if err := producer.ProduceSync(broker.Context(t), kgo.StringRecord(value)).FirstErr(); err != nil {
			t.Errorf("%s: %v", value, err)
			return acknowledged
		}
		acknowledged = append(acknowledged, value)
	}
}
