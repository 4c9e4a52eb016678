package franz

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"ottla/clients/broker"
)

func TestAdmin(t *testing.T) {
	t.Parallel()
	t.Run("topic", adminTopic)
	t.Run("config", adminConfig)
	t.Run("records", adminRecords)
	t.Run("group", adminGroup)
	t.Run("errors", adminErrors)
}

func adminTopic(t *testing.T) {
	t.Parallel()
	admin, topic, ctx := newAdmin(t), newTopic(t, 2), broker.Context(t)
	checkPartitions(t, admin, topic, 2)
	if added, err := admin.UpdatePartitions(ctx, 4, topic); err != nil || added.Error() != nil {
		t.Fatal(err, added.Error())
	}
	checkPartitions(t, admin, topic, 4)
	if _, err := admin.DeleteTopic(ctx, topic); err != nil {
		t.Fatal(err)
	}
	broker.Eventually(t, "the end of the topic", func() bool {
		topics, err := admin.ListTopics(ctx)
		return err == nil && !topics.Has(topic)
	})
}

func checkPartitions(t *testing.T, admin *kadm.Client, topic string, want int) {
	t.Helper()
	broker.Eventually(t, "the topic in the list, with its partitions", func() bool {
		topics, err := admin.ListTopics(broker.Context(t))
		return err == nil && topics.Has(topic) && len(topics[topic].Partitions) == want
	})
	topics, err := admin.ListTopics(broker.Context(t), topic)
	if err != nil || len(topics[topic].Partitions) != want {
		t.Fatalf("the topic is described as %+v, %v", topics[topic], err)
	}
	for _, partition := range topics[topic].Partitions {
		if partition.Leader < 0 || len(partition.Replicas) != 1 || len(partition.ISR) != 1 {
			t.Errorf("partition %+v", partition)
		}
	}
}

func adminConfig(t *testing.T) {
	t.Parallel()
	admin, topic := newAdmin(t), newTopic(t, 1, "retention.ms", "3600000")
	checkConfig(t, admin, topic, "retention.ms", "3600000")
	alter := []kadm.AlterConfig{
		{Op: kadm.SetConfig, Name: "segment.bytes", Value: kadm.StringPtr("2000000")},
		{Op: kadm.DeleteConfig, Name: "retention.ms"},
	}
	if _, err := admin.AlterTopicConfigs(broker.Context(t), alter, topic); err != nil {
		t.Fatal(err)
	}
	checkConfig(t, admin, topic, "segment.bytes", "2000000")
	checkConfig(t, admin, topic, "retention.ms", "604800000")
}

func checkConfig(t *testing.T, admin *kadm.Client, topic, name, want string) {
	t.Helper()
	broker.Eventually(t, name+"="+want, func() bool {
		described, err := admin.DescribeTopicConfigs(broker.Context(t), topic)
		if err != nil {
			t.Fatal(err)
		}
		for _, config := range described[0].Configs {
			if config.Key == name {
				return config.MaybeValue() == want
			}
		}
		return false
	})
}

func adminRecords(t *testing.T) {
	t.Parallel()
	admin, topic, ctx := newAdmin(t), newTopic(t, 1), broker.Context(t)
	produce(t, numbered(topic, 0, "record", 10)...)
	var before kadm.Offsets
	before.AddOffset(topic, 0, 4, -1)
	deleted, err := admin.DeleteRecords(ctx, before)
	if err != nil || deleted.Error() != nil || deleted[topic][0].LowWatermark != 4 {
		t.Fatalf("deleted: %+v, %v", deleted, err)
	}
	start, err := admin.ListStartOffsets(ctx, topic)
	if err != nil || start[topic][0].Offset != 4 {
		t.Errorf("the start is %+v, %v", start, err)
	}
	end, err := admin.ListEndOffsets(ctx, topic)
	if err != nil || end[topic][0].Offset != 10 {
		t.Errorf("the end is %+v, %v", end, err)
	}
	if records := readAll(t, topic); len(records) != 6 || records[0].Offset != 4 {
		t.Errorf("left are %v", values(records))
	}
}

func adminGroup(t *testing.T) {
	t.Parallel()
	admin, topic, group, ctx := newAdmin(t), newTopic(t, 1), broker.Name("group"), broker.Context(t)
	produce(t, numbered(topic, 0, "record", 10)...)
	member := newMember(t, group, topic, kgo.NewOffset().AtStart())
	poll(t, member)
	checkGroup(t, admin, group, "Stable", 1)
	member.Close()
	checkGroup(t, admin, group, "Empty", 0)

	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: topic, At: 7, LeaderEpoch: -1, Metadata: "by hand"})
	if err := admin.CommitAllOffsets(ctx, group, offsets); err != nil {
		t.Fatal(err)
	}
	checkCommitted(t, group, topic, 7)
	lags, err := admin.Lag(ctx, group)
	if lag, found := lags[group].Lag.Lookup(topic, 0); err != nil || !found || lag.Lag != 3 {
		t.Errorf("the lag is %+v, %v", lag, err)
	}
	if _, err := admin.DeleteOffsets(ctx, group, offsets.TopicsSet()); err != nil {
		t.Fatal(err)
	}
	checkCommitted(t, group, topic, -1)
	if err := admin.CommitAllOffsets(ctx, group, offsets); err != nil {
		t.Fatal(err)
	}
	if deleted, err := admin.DeleteGroups(ctx, group); err != nil || deleted.Error() != nil {
		t.Fatal(err, deleted.Error())
	}
	if listed, err := admin.ListGroups(ctx); err != nil || listed[group].Group != "" {
		t.Errorf("the group is still listed: %v, %v", listed[group], err)
	}
}

func checkGroup(t *testing.T, admin *kadm.Client, group, state string, members int) {
	t.Helper()
	listed, err := admin.ListGroups(broker.Context(t))
	if err != nil || listed[group].State != state {
		t.Errorf("the group is listed as %+v, %v", listed[group], err)
	}
	described, err := admin.DescribeGroups(broker.Context(t), group)
	if err != nil || described[group].State != state || len(described[group].Members) != members {
		t.Errorf("the group is described as %+v, %v", described[group], err)
	}
}

func adminErrors(t *testing.T) {
	t.Parallel()
	admin, topic, unknown, ctx := newAdmin(t), newTopic(t, 1), broker.Name("unknown"), broker.Context(t)
	group := broker.Name("unknown")
	wrong := map[string]*string{"retention.ms": kadm.StringPtr("soon")}
	_, exists := admin.CreateTopic(ctx, 1, 1, nil, topic)
	_, wrongConfig := admin.CreateTopic(ctx, 1, 1, wrong, broker.Name("topic"))
	_, unknownTopic := admin.DeleteTopic(ctx, unknown)
	_, unknownGroup := admin.DeleteGroup(ctx, group)
	altered, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: "retention.ms", Value: wrong["retention.ms"]}}, topic)
	if err != nil {
		t.Fatal(err)
	}
	fewer, err := admin.UpdatePartitions(ctx, 1, topic)
	if err != nil {
		t.Fatal(err)
	}
	for _, answer := range []struct{ got, want error }{
		{exists, kerr.TopicAlreadyExists},
		{wrongConfig, kerr.InvalidConfig},
		{unknownTopic, kerr.UnknownTopicOrPartition},
		{unknownGroup, kerr.GroupIDNotFound},
		{altered[0].Err, kerr.InvalidConfig},
		{fewer[topic].Err, kerr.InvalidPartitions},
	} {
		if !errors.Is(answer.got, answer.want) {
			t.Errorf("%v, not %v", answer.got, answer.want)
		}
	}
}
