package segmentio

import (
	"errors"
	"slices"
	"testing"

	"github.com/segmentio/kafka-go"

	"ottla/clients/broker"
)

// TestAdmin deletes no records: kafka-go has no request for that.
func TestAdmin(t *testing.T) {
	t.Parallel()
	t.Run("topic", adminTopic)
	t.Run("config", adminConfig)
	t.Run("offsets", adminOffsets)
	t.Run("group", adminGroup)
	t.Run("errors", adminErrors)
}

func adminTopic(t *testing.T) {
	t.Parallel()
	client, topic := newClient(t), newTopic(t, 2)
	checkPartitions(t, client, topic, 2)
	added, err := client.CreatePartitions(broker.Context(t), &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: 4}}})
	if err != nil || added.Errors[topic] != nil {
		t.Fatal(err, added)
	}
	checkPartitions(t, client, topic, 4)
	deleted, err := client.DeleteTopics(broker.Context(t), &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	if err != nil || deleted.Errors[topic] != nil {
		t.Fatal(err, deleted)
	}
	broker.Eventually(t, "the end of the topic", func() bool { return find(t, client, topic) == nil })
}

func checkPartitions(t *testing.T, client *kafka.Client, topic string, want int) {
	t.Helper()
	var found *kafka.Topic
	broker.Eventually(t, "the topic in the list, with its partitions", func() bool {
		found = find(t, client, topic)
		return found != nil && len(found.Partitions) == want
	})
	for _, partition := range found.Partitions {
		if partition.Error != nil || len(partition.Replicas) != 1 || len(partition.Isr) != 1 {
			t.Errorf("partition %+v", partition)
		}
	}
}

// find looks for the topic in the list of all.
func find(t *testing.T, client *kafka.Client, name string) *kafka.Topic {
	t.Helper()
	metadata, err := client.Metadata(broker.Context(t), &kafka.MetadataRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(metadata.Topics, func(topic kafka.Topic) bool { return topic.Name == name }); i >= 0 {
		return &metadata.Topics[i]
	}
	return nil
}

func adminConfig(t *testing.T) {
	t.Parallel()
	client, topic := newClient(t), newTopic(t, 1, "retention.ms", "3600000")
	checkConfig(t, client, topic, "retention.ms", "3600000")
	err := alterConfigs(t, client, topic,
		kafka.IncrementalAlterConfigsRequestConfig{Name: "segment.bytes", Value: "2000000", ConfigOperation: kafka.ConfigOperationSet},
		kafka.IncrementalAlterConfigsRequestConfig{Name: "retention.ms", ConfigOperation: kafka.ConfigOperationDelete})
	if err != nil {
		t.Fatal(err)
	}
	checkConfig(t, client, topic, "segment.bytes", "2000000")
	checkConfig(t, client, topic, "retention.ms", "604800000")
}

func alterConfigs(t *testing.T, client *kafka.Client, topic string, configs ...kafka.IncrementalAlterConfigsRequestConfig) error {
	t.Helper()
	altered, err := client.IncrementalAlterConfigs(broker.Context(t), &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, Configs: configs}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return altered.Resources[0].Error
}

func checkConfig(t *testing.T, client *kafka.Client, topic, name, want string) {
	t.Helper()
	resource := kafka.DescribeConfigRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{name}}
	broker.Eventually(t, name+"="+want, func() bool {
		described, err := client.DescribeConfigs(broker.Context(t), &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{resource}})
		return err == nil && len(described.Resources[0].ConfigEntries) == 1 && described.Resources[0].ConfigEntries[0].ConfigValue == want
	})
}

func adminOffsets(t *testing.T) {
	t.Parallel()
	topic := newTopic(t, 1)
	produce(t, topic, 0, numbered("record", 10)...)
	if offsets := listed(t, topic, kafka.FirstOffsetOf(0), kafka.LastOffsetOf(0)); offsets.FirstOffset != 0 || offsets.LastOffset != 10 {
		t.Errorf("offsets are %+v", offsets)
	}
}

func adminGroup(t *testing.T) {
	t.Parallel()
	client, topic, group := newClient(t), newTopic(t, 1), broker.Name("group")
	produce(t, topic, 0, numbered("record", 10)...)
	member := newReader(t, kafka.ReaderConfig{GroupID: group, Topic: topic})
	if err := member.CommitMessages(broker.Context(t), next(t, member)); err != nil {
		t.Fatal(err)
	}
	checkGroup(t, client, group, "Stable", 1)
	if err := member.Close(); err != nil {
		t.Fatal(err)
	}
	checkGroup(t, client, group, "Empty", 0)

	commit(t, group, topic, kafka.OffsetCommit{Partition: 0, Offset: 7, Metadata: "by hand"})
	checkCommitted(t, group, topic, 7, "by hand")
	forgotten, err := client.OffsetDelete(broker.Context(t), &kafka.OffsetDeleteRequest{GroupID: group, Topics: map[string][]int{topic: {0}}})
	if err != nil || forgotten.Error != nil || forgotten.Topics[topic][0].Error != nil {
		t.Fatal(err, forgotten)
	}
	checkCommitted(t, group, topic, -1, "")
	commit(t, group, topic, kafka.OffsetCommit{Partition: 0, Offset: 7})
	deleted, err := client.DeleteGroups(broker.Context(t), &kafka.DeleteGroupsRequest{GroupIDs: []string{group}})
	if err != nil || deleted.Errors[group] != nil {
		t.Fatal(err, deleted)
	}
	if isListed(t, client, group) {
		t.Error("the group is still listed")
	}
}

func checkGroup(t *testing.T, client *kafka.Client, group, state string, members int) {
	t.Helper()
	if !isListed(t, client, group) {
		t.Error("the group is not listed")
	}
	described, err := client.DescribeGroups(broker.Context(t), &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
	if err != nil || described.Groups[0].GroupState != state || len(described.Groups[0].Members) != members {
		t.Errorf("the group is described as %+v, %v", described, err)
	}
}

func isListed(t *testing.T, client *kafka.Client, group string) bool {
	t.Helper()
	groups, err := client.ListGroups(broker.Context(t), &kafka.ListGroupsRequest{})
	if err != nil || groups.Error != nil {
		t.Fatal(err, groups)
	}
	return slices.ContainsFunc(groups.Groups, func(listed kafka.ListGroupsResponseGroup) bool { return listed.GroupID == group })
}

func adminErrors(t *testing.T) {
	t.Parallel()
	client, topic, unknown := newClient(t), newTopic(t, 1), broker.Name("unknown")
	misconfigured := broker.Name("topic")
	created, err := client.CreateTopics(broker.Context(t), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{
		{Topic: topic, NumPartitions: 1, ReplicationFactor: 1},
		{Topic: misconfigured, NumPartitions: 1, ReplicationFactor: 1, ConfigEntries: []kafka.ConfigEntry{{ConfigName: "retention.ms", ConfigValue: "soon"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	deleted, err := client.DeleteTopics(broker.Context(t), &kafka.DeleteTopicsRequest{Topics: []string{unknown}})
	if err != nil {
		t.Fatal(err)
	}
	deletedGroups, err := client.DeleteGroups(broker.Context(t), &kafka.DeleteGroupsRequest{GroupIDs: []string{unknown}})
	if err != nil {
		t.Fatal(err)
	}
	altered := alterConfigs(t, client, topic, kafka.IncrementalAlterConfigsRequestConfig{Name: "retention.ms", Value: "soon"})
	for _, answer := range []struct{ got, want error }{
		{created.Errors[topic], kafka.TopicAlreadyExists},
		{created.Errors[misconfigured], kafka.InvalidConfiguration},
		{deleted.Errors[unknown], kafka.UnknownTopicOrPartition},
		{deletedGroups.Errors[unknown], kafka.GroupIdNotFound},
		{altered, kafka.InvalidConfiguration},
	} {
		if !errors.Is(answer.got, answer.want) {
			t.Errorf("%v, not %v", answer.got, answer.want)
		}
	}
}
