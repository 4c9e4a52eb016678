package franz

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"ottla/clients/broker"
	"ottla/clients/groups"
)

// group has members that commit what they have processed before they give it up.
type group struct {
	t           *testing.T
	topic, name string
	options     []kgo.Opt
}

func newGroup(t *testing.T, options ...kgo.Opt) group {
	return group{t, newTopic(t, groups.Partitions), broker.Name("group"), options}
}

func TestGroupClassic(t *testing.T) {
	t.Parallel()
	groups.Share(t, newGroup(t, kgo.Balancers(kgo.RangeBalancer())))
}

func TestGroupConsumer(t *testing.T) {
	t.Parallel()
	group := newGroup(t, kgo.Balancers(kgo.RangeBalancer()), kgo.ServerSideBalancer())
	groups.Share(t, group)
	listed, err := newAdmin(t).ListGroups(broker.Context(t))
	if err != nil || listed[group.name].GroupType != "consumer" {
		t.Errorf("this is no group of the consumer protocol: %+v, %v", listed[group.name], err)
	}
}

func TestGroupCooperative(t *testing.T) {
	t.Parallel()
	groups.Keep(t, newGroup(t, kgo.Balancers(kgo.CooperativeStickyBalancer())))
}

func (g group) Send(values ...string) {
	g.t.Helper()
	var records []*kgo.Record
	for number, value := range values {
		records = append(records, &kgo.Record{Topic: g.topic, Partition: int32(number % groups.Partitions), Value: []byte(value)})
	}
	produce(g.t, records...)
}

func (g group) Join(observer *groups.Observer, member string) func() {
	release := func(ctx context.Context, client *kgo.Client, partitions map[string][]int32) {
		if err := client.CommitUncommittedOffsets(ctx); err != nil {
			g.t.Errorf("%s could not commit: %v", member, err)
		}
		observer.Released(member, partitions[g.topic]...)
	}
	client := newClient(g.t, append([]kgo.Opt{
		kgo.ConsumerGroup(g.name),
		kgo.ConsumeTopics(g.topic),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.HeartbeatInterval(200 * time.Millisecond),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			observer.Assigned(member, partitions[g.topic]...)
		}),
		kgo.OnPartitionsRevoked(release),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			observer.Released(member, partitions[g.topic]...)
		}),
	}, g.options...)...)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		process(client, observer)
	}()
	return func() {
		client.CloseAllowingRebalance()
		<-ended
	}
}

// process goes on until the client is closed.
func process(client *kgo.Client, observer *groups.Observer) {
	for {
		fetches := client.PollFetches(context.Background())
		if fetches.IsClientClosed() {
			return
		}
		fetches.EachRecord(func(record *kgo.Record) { observer.Processed(string(record.Value)) })
		client.AllowRebalance()
	}
}
