// Topics, configs and groups, as an administrator sees and changes them.

import assert from 'node:assert/strict';
import test from 'node:test';

import { eventually, fresh, range } from '../broker.mjs';
import { ConfigResourceTypes, causedBy, makeAdmin, makeProducer, makeTopic, startReading } from './client.mjs';

async function configs(admin, topic) {
  const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }] });
  return Object.fromEntries(resources[0].configEntries.map(({ configName, configValue }) => [configName, configValue]));
}

test('admin of topics', async (t) => {
  const admin = await makeAdmin(t);
  const topic = fresh('topic');
  const partitions = async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length;
  assert.equal(await admin.createTopics({ topics: [{ topic, numPartitions: 2, configEntries: [{ name: 'retention.ms', value: '7200000' }] }] }), true);
  await eventually(async () => (await admin.listTopics()).includes(topic), 'the new topic');
  assert.equal(await partitions(), 2);
  assert.equal((await configs(admin, topic))['retention.ms'], '7200000');

  const change = { type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name: 'cleanup.policy', value: 'compact' }] };
  await admin.alterConfigs({ validateOnly: false, resources: [change] });
  await eventually(async () => (await configs(admin, topic))['cleanup.policy'] === 'compact', 'the changed config');

  await admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] });
  await eventually(async () => await partitions() === 5, 'the new partitions');
  await admin.deleteTopics({ topics: [topic] });
  await eventually(async () => !(await admin.listTopics()).includes(topic), 'the end of the topic');
});

test('admin of offsets and records', async (t) => {
  const admin = await makeAdmin(t);
  const topic = await makeTopic(t);
  const producer = await makeProducer(t);
  await producer.send({ topic, messages: range(10).map((number) => ({ value: `${number}` })) });
  const ends = async () => (await admin.fetchTopicOffsets(topic)).map(({ low, high }) => [low, high]);
  assert.deepEqual(await ends(), [['0', '10']]);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' }] });
  assert.deepEqual(await ends(), [['4', '10']]);
});

test('admin of groups', async (t) => {
  const admin = await makeAdmin(t);
  const topic = await makeTopic(t);
  const groupId = fresh('group');
  const producer = await makeProducer(t);
  await producer.send({ topic, messages: [{ value: 'value' }] });
  const { consumer, arrivals } = await startReading(t, topic, { groupId });
  await arrivals.first(1);
  await consumer.commitOffsets([{ topic, partition: 0, offset: '1' }]);

  const listed = async () => (await admin.listGroups()).groups.some((group) => group.groupId === groupId);
  const described = async () => (await admin.describeGroups([groupId])).groups[0];
  const offset = async () => (await admin.fetchOffsets({ groupId, topics: [topic] }))[0].partitions[0].offset;
  assert.ok(await listed());
  assert.equal((await described()).state, 'Stable');
  assert.deepEqual((await described()).members.map(({ clientId }) => clientId), ['kafkajs']);
  await assert.rejects(admin.deleteGroups([groupId]), causedBy('NON_EMPTY_GROUP'));
  await consumer.disconnect();

  assert.equal((await described()).state, 'Empty');
  assert.equal(await offset(), '1');
  await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '0' }] });
  assert.equal(await offset(), '0');
  await admin.deleteGroups([groupId]);
  assert.ok(!await listed());
});

test('admin errors', async (t) => {
  const admin = await makeAdmin(t, { retry: { retries: 0 } });
  const there = await makeTopic(t);
  const missing = fresh('missing');
  assert.equal(await admin.createTopics({ topics: [{ topic: there }] }), false, 'this is how the client tells that a topic exists');
  await assert.rejects(admin.deleteTopics({ topics: [missing] }), causedBy('UNKNOWN_TOPIC_OR_PARTITION'));
  await assert.rejects(admin.createPartitions({ topicPartitions: [{ topic: there, count: 1 }] }), causedBy('INVALID_PARTITIONS'));
  await assert.rejects(admin.deleteGroups([missing]), causedBy('GROUP_ID_NOT_FOUND'));
  for (const [name, value] of [['retention.ms', 'soon'], ['no.such.config', '1']]) {
    const wrong = { topic: fresh('wrong'), configEntries: [{ name, value }] };
    await assert.rejects(admin.createTopics({ topics: [wrong] }), causedBy('INVALID_CONFIG'));
  }
});
