// Records on their way into the broker and out of it.

import assert from 'node:assert/strict';
import test from 'node:test';

import { range } from '../broker.mjs';
import { CompressionTypes, makeAdmin, makeProducer, makeTopic, read } from './client.mjs';

const HOUR_MS = 3_600_000;
const CODECS = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD };

for (const [name, compression] of Object.entries(CODECS)) {
  test(`produce codecs: ${name}`, async (t) => {
    const topic = await makeTopic(t, 3);
    const messages = range(100).map((number) => ({ key: `key ${number % 10}`, value: `${name} ${number} ${'again '.repeat(50)}` }));
    const producer = await makeProducer(t);
    await producer.send({ topic, acks: -1, compression, messages });

    const records = await read(t, topic, messages.length);
    const text = ({ key, value }) => `${key}=${value}`;
    assert.deepEqual(records.map(({ message }) => text(message)).sort(), messages.map(text).sort());
    assert.equal(new Set(records.map(({ message, partition }) => `${message.key} ${partition}`)).size, 10, 'equal keys lie in one partition');
  });
}

test('produce idempotent', async (t) => {
  const topic = await makeTopic(t);
  const producer = await makeProducer(t, { idempotent: true, maxInFlightRequests: 1 });
  // A hundred at a time: the client does not keep the order of sends that wait for each other.
  for (const hundred of range(10)) {
    await producer.send({ topic, messages: range(100).map((number) => ({ value: `${hundred * 100 + number}` })) });
  }
  const records = await read(t, topic, 1_000);
  const asSeen = records.map(({ message }) => `${message.offset}: ${message.value}`);
  assert.equal(asSeen.join('; '), range(1_000).map((number) => `${number}: ${number}`).join('; '));
});

test('large messages', async (t) => {
  const small = await makeTopic(t);
  const large = await makeTopic(t, 1, { 'max.message.bytes': '5000000' });
  const producer = await makeProducer(t);
  const send = (topic, size) => producer.send({ topic, messages: [{ value: Buffer.alloc(size, 'x') }] });
  await send(small, 900_000);
  await send(large, 4_000_000);
  await assert.rejects(send(small, 1_100_000), { type: 'MESSAGE_TOO_LARGE' });

  const [{ message }] = await read(t, large, 1, { maxBytesPerPartition: 10_000, maxBytes: 20_000 });
  assert.deepEqual(message.value, Buffer.alloc(4_000_000, 'x'));
});

test('headers tombstones', async (t) => {
  // A header without a value makes the client fail, so it is left out.
  const topic = await makeTopic(t);
  const headers = { binary: Buffer.of(0, 255, 254), empty: Buffer.alloc(0), twice: [Buffer.from('first'), Buffer.from('second')] };
  const key = Buffer.from('key');
  const value = Buffer.from('value');
  const nothing = Buffer.alloc(0);
  const sent = [{ key, value, headers }, { key, value: null }, { key: null, value }, { key, value: nothing }, { key: nothing, value }];
  const producer = await makeProducer(t);
  await producer.send({ topic, messages: sent });

  const records = await read(t, topic, sent.length);
  assert.deepEqual(records.map(({ message }) => ({ key: message.key, value: message.value, headers: message.headers })),
    sent.map((message) => ({ headers: {}, ...message })));
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
  const [{ logAppendTime }] = await producer.send({ topic, messages: [{ value: 'value', timestamp: '1600000000000' }] });
  assert.ok(before <= Number(logAppendTime) && Number(logAppendTime) <= Date.now(), `the time in the answer is ${logAppendTime}`);
  const [{ message }] = await read(t, topic, 1);
  assert.equal(message.timestamp, logAppendTime);
});
