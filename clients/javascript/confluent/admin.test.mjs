// Topics and groups, as an administrator sees and changes them. This one neither describes nor alters configs, adds no partitions, and
// leaves the offsets of groups as they are.

import assert from 'node:assert/strict';
import test from 'node:test';

import confluent from '@confluentinc/kafka-javascript';

import { eventually, fresh, range } from '../broker.mjs';
import { ErrorCodes, coded, makeAdmin, makeProducer, makeTopic, startReading } from './client.mjs';

const { ConsumerGroupStates } = confluent.KafkaJS;

test('admin of topics', async (t) => {
  const admin = await makeAdmin(t);
  const topic = fresh('topic');
  assert.equal(await admin.createTopics({ topics: [{ topic, numPartitions: 2, configEntries: [{ name: 'max.message.bytes', value: '1000' }] }] }), true);
  await eventually(async () => (await admin.listTopics()).includes(topic), 'the new topic');
  const [description] = await admin.fetchTopicMetadata({ topics: [topic] });
  assert.deepEqual([description.name, description.partitions.length, description.isInternal], [topic, 2, false]);
  const producer = await makeProducer(t);
  await assert.rejects(producer.send({ topic, messages: [{ value: 'x'.repeat(2_000) }] }), coded(ErrorCodes.ERR_MSG_SIZE_TOO_LARGE));
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
  const { consumer, arrivals } = await startReading(t, topic, { groupId, 'client.id': 'the member' });
  await arrivals.first(1);
  await consumer.commitOffsets([{ topic, partition: 0, offset: '1' }]);

  const listed = async () => (await admin.listGroups()).groups.some((group) => group.groupId === groupId);
  const described = async () => (await admin.describeGroups([groupId])).groups[0];
  assert.ok(await listed());
  const { state, members } = await described();
  assert.deepEqual([state, members.map(({ clientId }) => clientId)], [ConsumerGroupStates.STABLE, ['the member']]);
  await assert.rejects(admin.deleteGroups([groupId]), coded(ErrorCodes.ERR_NON_EMPTY_GROUP));
  await consumer.disconnect();

  assert.equal((await described()).state, ConsumerGroupStates.EMPTY);
  const [{ partitions: [{ offset }] }] = await admin.fetchOffsets({ groupId });
  assert.equal(offset, '1');
  await admin.deleteGroups([groupId]);
  assert.ok(!await listed());
});

test('admin errors', async (t) => {
  const admin = await makeAdmin(t);
  const there = await makeTopic(t);
  const missing = fresh('missing');
  assert.equal(await admin.createTopics({ topics: [{ topic: there }] }), false, 'this is how the client tells that a topic exists');
  await assert.rejects(admin.deleteTopics({ topics: [missing] }), coded(ErrorCodes.ERR_UNKNOWN_TOPIC_OR_PART));
  await assert.rejects(admin.deleteGroups([missing]), coded(ErrorCodes.ERR_GROUP_ID_NOT_FOUND));
  for (const [name, value] of [['retention.ms', 'soon'], ['no.such.config', '1']]) {
    const wrong = { topic: fresh('wrong'), configEntries: [{ name, value }] };
    await assert.rejects(admin.createTopics({ topics: [wrong] }), coded(ErrorCodes.ERR_INVALID_CONFIG));
  }
});
