// The broker dies under a producer and a member of a group.

import assert from 'node:assert/strict';
import test from 'node:test';

import { eventually, fresh, range, restartBroker } from '../broker.mjs';
import { makeAdmin, makeProducer, makeTopic, read, startReading } from './client.mjs';

test('reconnect', async (t) => {
  const topic = await makeTopic(t);
  const groupId = fresh('group');
  const producer = await makeProducer(t, { 'enable.idempotence': true });
  const send = (value) => producer.send({ topic, messages: [{ value }] });
  const { consumer, arrivals } = await startReading(t, topic, { groupId });
  const commit = (offset) => consumer.commitOffsets([{ topic, partition: 0, offset: `${offset}` }]);
  const sent = range(50).map((number) => `${number}`);
  await producer.send({ topic, messages: sent.map((value) => ({ value })) });
  await arrivals.first(50);
  await commit(50);

  let isRestarting = true;
  const restart = restartBroker().finally(() => { isRestarting = false; });
  while (isRestarting) {
    sent.push(`${sent.length}`);
    await send(sent.at(-1));
  }
  await restart;
  sent.push('after');
  await send('after');

  const records = await arrivals.upTo(({ message }) => message.value.toString() === 'after');
  // The client may join again, and then begins where the group has committed.
  const offsets = records.slice(50).map(({ message }) => Number(message.offset));
  assert.deepEqual([...new Set(offsets)], range(sent.length).slice(50), 'the group went on where it had committed');
  await commit(sent.length);
  const admin = await makeAdmin(t);
  const committed = async () => (await admin.fetchOffsets({ groupId, topics: [topic] }))[0].partitions[0].offset;
  // Seen with Apache Kafka: right after the connection was lost the client says that it has committed before the group shows it.
  await eventually(async () => await committed() === `${sent.length}`, `the commit of ${sent.length}`);
  const stored = await read(t, topic, sent.length);
  assert.deepEqual(stored.map(({ message }) => message.value.toString()), sent);
});
