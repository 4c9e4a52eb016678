package sarama

import (
	"errors"
	"testing"

	"github.com/IBM/sarama"

	"ottla/clients/broker"
	"ottla/clients/groups"
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
	admin, topic := newAdmin(t), newTopic(t, 2, "retention.ms", "3600000")
	checkPartitions(t, admin, topic, 2)
	if err := admin.CreatePartitions(topic, 4, nil, false); err != nil {
		t.Fatal(err)
	}
	checkPartitions(t, admin, topic, 4)
	if err := admin.DeleteTopic(topic); err != nil {
		t.Fatal(err)
	}
	broker.Eventually(t, "the end of the topic", func() bool {
		topics, err := admin.ListTopics()
		_, there := topics[topic]
		return err == nil && !there
	})
}

func checkPartitions(t *testing.T, admin sarama.ClusterAdmin, topic string, want int) {
	t.Helper()
	broker.Eventually(t, "the topic in the list, with its partitions and configs", func() bool {
		topics, err := admin.ListTopics()
		listed, there := topics[topic]
		retention := listed.ConfigEntries["retention.ms"]
		return err == nil && there && listed.NumPartitions == int32(want) && retention != nil && *retention == "3600000"
	})
	described, err := admin.DescribeTopics([]string{topic})
	if err != nil || len(described[0].Partitions) != want {
		t.Fatalf("the topic is described as %+v, %v", described, err)
	}
	for _, partition := range described[0].Partitions {
		if partition.Err != sarama.ErrNoError || len(partition.Replicas) != 1 || len(partition.Isr) != 1 {
			t.Errorf("partition %+v", partition)
		}
	}
}

func adminConfig(t *testing.T) {
	t.Parallel()
	admin, topic := newAdmin(t), newTopic(t, 1, "retention.ms", "3600000")
	checkConfig(t, admin, topic, "retention.ms", "3600000")
	bytes := "2000000"
	err := admin.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{
		"segment.bytes": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &bytes},
		"retention.ms":  {Operation: sarama.IncrementalAlterConfigsOperationDelete},
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	checkConfig(t, admin, topic, "segment.bytes", "2000000")
	checkConfig(t, admin, topic, "retention.ms", "604800000")
	retention := "7200000"
	if err := admin.AlterConfig(sarama.TopicResource, topic, map[string]*string{"retention.ms": &retention}, false); err != nil {
		t.Fatal(err)
	}
	checkConfig(t, admin, topic, "retention.ms", "7200000")
	checkConfig(t, admin, topic, "segment.bytes", "1073741824")
}

func checkConfig(t *testing.T, admin sarama.ClusterAdmin, topic, name, want string) {
	t.Helper()
	resource := &sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{name}}
	broker.Eventually(t, name+"="+want, func() bool {
		described, err := admin.DescribeConfigs([]*sarama.ConfigResource{resource}, sarama.DescribeConfigsOptions{})
		return err == nil && len(described) == 1 && len(described[0].Configs) == 1 &&
			described[0].Configs[0].Name == name && described[0].Configs[0].Value == want
	})
}

func adminRecords(t *testing.T) {
	t.Parallel()
	admin, topic := newAdmin(t), newTopic(t, 1)
	produce(t, numbered(topic, 0, "record", 10)...)
	if err := admin.DeleteRecords(topic, map[int32]int64{0: 4}); err != nil {
		t.Fatal(err)
	}
	for place, want := range map[int64]int64{sarama.OffsetOldest: 4, sarama.OffsetNewest: 10} {
		listed, err := admin.ListOffsets(map[string]map[int32]int64{topic: {0: place}}, nil)
		if err != nil || listed[topic][0].Offset != want {
			t.Errorf("offset %d is listed as %+v, %v", place, listed, err)
		}
	}
	if messages := readAll(t, topic); len(messages) != 6 || messages[0].Offset != 4 {
		t.Errorf("left are %v", values(messages))
	}
}

func adminGroup(t *testing.T) {
	t.Parallel()
	admin, group, observer := newAdmin(t), newGroup(t, sarama.NewBalanceStrategyRange()), groups.Watch(t)
	leave := group.Join(observer, "member")
	observer.AwaitShares(groups.Partitions)
	checkGroup(t, admin, group.name, "Stable", 1)
	leave()
	checkGroup(t, admin, group.name, "Empty", 0)

	byHand := map[string]map[int32]sarama.OffsetAndMetadata{group.topic: {0: {Offset: 7, Metadata: "by hand", LeaderEpoch: -1}}}
	if _, err := admin.AlterConsumerGroupOffsets(group.name, byHand, nil); err != nil {
		t.Fatal(err)
	}
	checkCommitted(t, group.name, group.topic, 7)
	if err := admin.DeleteConsumerGroupOffset(group.name, group.topic, 0); err != nil {
		t.Fatal(err)
	}
	checkCommitted(t, group.name, group.topic, -1)
	if _, err := admin.AlterConsumerGroupOffsets(group.name, byHand, nil); err != nil {
		t.Fatal(err)
	}
	if err := admin.DeleteConsumerGroup(group.name); err != nil {
		t.Fatal(err)
	}
	listed, err := admin.ListConsumerGroups()
	if _, there := listed[group.name]; there || err != nil {
		t.Errorf("the group is still listed, or %v", err)
	}
}

func checkGroup(t *testing.T, admin sarama.ClusterAdmin, group, state string, members int) {
	t.Helper()
	listed, err := admin.ListConsumerGroups()
	if listed[group] != "consumer" || err != nil {
		t.Errorf("the group is listed as %q, %v", listed[group], err)
	}
	described, err := admin.DescribeConsumerGroups([]string{group})
	if err != nil || described[0].State != state || len(described[0].Members) != members {
		t.Errorf("the group is described as %+v, %v", described[0], err)
	}
}

func adminErrors(t *testing.T) {
	t.Parallel()
	admin, topic, soon := newAdmin(t), newTopic(t, 1), "soon"
	wrong := map[string]*string{"retention.ms": &soon}
	plain, misconfigured := sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1, ConfigEntries: wrong}
	for _, answer := range []struct{ got, want error }{
		{admin.CreateTopic(topic, &plain, false), sarama.ErrTopicAlreadyExists},
		{admin.CreateTopic(broker.Name("topic"), &misconfigured, false), sarama.ErrInvalidConfig},
		{admin.DeleteTopic(broker.Name("unknown")), sarama.ErrUnknownTopicOrPartition},
		{admin.DeleteConsumerGroup(broker.Name("unknown")), sarama.ErrGroupIDNotFound},
		{admin.AlterConfig(sarama.TopicResource, topic, wrong, false), sarama.ErrInvalidConfig},
		{admin.CreatePartitions(topic, 1, nil, false), sarama.ErrInvalidPartitions},
	} {
		if !errors.Is(answer.got, answer.want) {
			t.Errorf("%v, not %v", answer.got, answer.want)
		}
	}
}
