// Records on their way into the broker and out of it.

import assert from 'node:assert/strict';
import test from 'node:test';

import { range } from '../broker.mjs';
import { ErrorCodes, coded, makeAdmin, makeProducer, makeTopic, read } from './client.mjs';

const HOUR_MS = 3_600_000;

for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
  test(`produce codecs: ${codec}`, async (t) => {
    const topic = await makeTopic(t, 3);
    const messages = range(100).map((number) => ({ key: `key ${number % 10}`, value: `${codec} ${number} ${'again '.repeat(50)}` }));
    const producer = await makeProducer(t, { 'compression.codec': codec, acks: -1 });
    await producer.send({ topic, messages: messages.map((message) => ({ ...message })) });

    const records = await read(t, topic, messages.length);
    const text = ({ key, value }) => `${key}=${value}`;
    assert.deepEqual(records.map(({ message }) => text(message)).sort(), messages.map(text).sort());
    assert.equal(new Set(records.map(({ message, partition }) => `${message.key} ${partition}`)).size, 10, 'equal keys lie in one partition');
  });
}

test('produce idempotent', async (t) => {
  const topic = await makeTopic(t);
  const producer = await makeProducer(t, { 'enable.idempotence': true, 'batch.num.messages': 20 });
  await Promise.all(range(1_000).map((number) => producer.send({ topic, messages: [{ value: `${number}` }] })));

  const records = await read(t, topic, 1_000);
  const asSeen = records.map(({ message }) => `${message.offset}: ${message.value}`);
  assert.equal(asSeen.join('; '), range(1_000).map((number) => `${number}: ${number}`).join('; '));
});

test('large messages', async (t) => {
  const small = await makeTopic(t);
  const large = await makeTopic(t, 1, { 'max.message.bytes': '5000000' });
  const producer = await makeProducer(t, { 'message.max.bytes': 8_000_000 });
  const send = (topic, size) => producer.send({ topic, messages: [{ value: Buffer.alloc(size, 'x') }] });
  await send(small, 900_000);
  await send(large, 4_000_000);
  await assert.rejects(send(small, 1_100_000), coded(ErrorCodes.ERR_MSG_SIZE_TOO_LARGE));

  const [{ message }] = await read(t, large, 1, { 'max.partition.fetch.bytes': 10_000, 'fetch.max.bytes': 20_000, 'message.max.bytes': 20_000 });
  assert.deepEqual(message.value, Buffer.alloc(4_000_000, 'x'));
});

test('headers tombstones', async (t) => {
  // A header without a value is nothing that this client sends, and what is empty it shows as null when it reads.
  const topic = await makeTopic(t);
  const headers = { binary: Buffer.of(0, 255, 254), empty: Buffer.alloc(0), twice: [Buffer.from('first'), Buffer.from('second')] };
  const key = Buffer.from('key');
  const value = Buffer.from('value');
  const sent = [{ key, value, headers }, { key, value: null }, { key: null, value }];
  const producer = await makeProducer(t);
  // The client changes what it is given to send.
  await producer.send({ topic, messages: sent.map((message) => ({ ...message })) });

  const records = await read(t, topic, sent.length);
  assert.deepEqual(records.map(({ message }) => ({ key: message.key, value: message.value, headers: message.headers })),
    sent.map((message) => ({ headers: undefined, ...message })));
});

test('timestamps that are given', async (t) => {
  const topic = await makeTopic(t);
  const start = 1_600_000_000_000;
  const times = range(5).map((number) => start + number * HOUR_MS);
  const producer = await makeProducer(t);
  await producer.send({ topic, messages: times.map((time) => ({ value: 'value', timestamp: `${time}` })) });

  const records = await read(t, topic, times.length);
  assert.deepEqual(records.map(({ message }) => Number(message.timestamp)), times);

  const admin = await makeAdmin(t);
  const offsetAt = async (time) => (await admin.fetchTopicOffsetsByTimestamp(topic, time))[0].offset;
  assert.equal(await offsetAt(1), '0');
  assert.equal(await offsetAt(times[2]), '2');
  assert.equal(await offsetAt(times[2] + 1), '3');
  // Where there is none, the client names the end of the log instead.
  assert.equal(await offsetAt(start + 5 * HOUR_MS), '5');
});

test('timestamps of the broker', async (t) => {
  const topic = await makeTopic(t, 1, { 'message.timestamp.type': 'LogAppendTime' });
  const before = Date.now();
  const producer = await makeProducer(t);
  await producer.send({ topic, messages: [{ value: 'value', timestamp: '1600000000000' }] });
  const [{ message }] = await read(t, topic, 1);
  assert.ok(before <= Number(message.timestamp) && Number(message.timestamp) <= Date.now(), `the time is ${message.timestamp}`);
});
