package sarama

import (
	"context"
	"errors"
	"testing"

	"github.com/IBM/sarama"

	"ottla/clients/broker"
	"ottla/clients/groups"
)

// group has members that commit what they have processed before they give it up.
type group struct {
	t           *testing.T
	topic, name string
	strategy    sarama.BalanceStrategy
}

func newGroup(t *testing.T, strategy sarama.BalanceStrategy) group {
	return group{t, newTopic(t, groups.Partitions), broker.Name("group"), strategy}
}

func TestGroupClassic(t *testing.T) {
	t.Parallel()
	groups.Share(t, newGroup(t, sarama.NewBalanceStrategyRange()))
}

func TestGroupCooperative(t *testing.T) {
	t.Parallel()
	groups.Keep(t, newGroup(t, sarama.NewBalanceStrategyCooperativeSticky()))
}

func (g group) Send(values ...string) {
	g.t.Helper()
	var messages []*sarama.ProducerMessage
	for number, value := range values {
		messages = append(messages, text(g.topic, int32(number%groups.Partitions), value))
	}
	produce(g.t, messages...)
}

func (g group) Join(observer *groups.Observer, member string) func() {
	consumer, err := sarama.NewConsumerGroup(addresses(g.t), g.name, newConfig(func(config *sarama.Config) {
		config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{g.strategy}
	}))
	if err != nil {
		g.t.Fatal(err)
	}
	ctx, leave := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			err := consumer.Consume(ctx, []string{g.topic}, observedHandler{member, observer})
			if errors.Is(err, sarama.ErrClosedConsumerGroup) {
				return
			}
			if err != nil {
				g.t.Logf("%s goes on after: %v", member, err)
			}
		}
	}()
	stop := func() {
		leave()
		<-ended
		if err := consumer.Close(); err != nil {
			g.t.Errorf("%s leaves with %v", member, err)
		}
	}
	g.t.Cleanup(stop)
	return stop
}

// observedHandler owns a partition as long as it works on its claim.
type observedHandler struct {
	member   string
	observer *groups.Observer
}

func (observedHandler) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (observedHandler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (h observedHandler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	h.observer.Assigned(h.member, claim.Partition())
	defer h.observer.Released(h.member, claim.Partition())
	for {
		select {
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			h.observer.Processed(string(message.Value))
			session.MarkMessage(message, "")
		case <-session.Context().Done():
			return nil
		}
	}
}
