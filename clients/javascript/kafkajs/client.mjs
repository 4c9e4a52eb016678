// Producers, consumers and an administrator of kafkajs. They are disconnected with the test that made them.

import { after } from 'node:test';

import kafkajs from 'kafkajs';
import SnappyCodec from 'kafkajs-snappy';
import lz4 from 'lz4-napi';
import zstd from '@toondepauw/node-zstd';

import { Arrivals, bootstrap, fresh } from '../broker.mjs';

export const { CompressionTypes, ConfigResourceTypes } = kafkajs;

// The client brings gzip alone. For the others it takes what other packages bring.
Object.assign(kafkajs.CompressionCodecs, {
  [CompressionTypes.Snappy]: SnappyCodec,
  [CompressionTypes.LZ4]: () => ({
    compress: ({ buffer }) => lz4.compressFrame(buffer),
    decompress: (buffer) => lz4.decompressFrame(buffer),
  }),
  [CompressionTypes.ZSTD]: () => ({
    compress: ({ buffer }) => new zstd.Encoder(3).encode(buffer),
    decompress: (buffer) => new zstd.Decoder().decode(buffer),
  }),
});

// A client that has lost its broker goes on looking after an old connection when it is disconnected; the process would never end by itself.
after(() => setImmediate(() => process.exit()));

const kafka = new kafkajs.Kafka({
  brokers: [bootstrap],
  logLevel: kafkajs.logLevel.NOTHING,
  retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 60 },
});
export const FAST_GROUP = { sessionTimeout: 6_000, heartbeatInterval: 300, maxWaitTimeInMs: 100 };

async function connected(test, client) {
  test.after(() => client.disconnect());
  await client.connect();
  return client;
}

export const makeProducer = (test, settings) => connected(test, kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner, ...settings }));
export const makeConsumer = (test, settings) => connected(test, kafka.consumer({ ...FAST_GROUP, ...settings }));
export const makeAdmin = (test, settings) => connected(test, kafka.admin(settings));

/** Whether an error is, wraps or contains one of that type, for `assert.rejects`. */
export const causedBy = (type) => ({ type: its, cause, errors = [], groups = [] }) =>
  [its, cause?.type, ...errors.map((one) => one.type), ...groups.map(({ error }) => error?.type)].includes(type);

/** A new topic's name. */
export async function makeTopic(test, numPartitions = 1, configs = {}) {
  const topic = fresh('topic');
  const admin = await makeAdmin(test);
  const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }));
  await admin.createTopics({ topics: [{ topic, numPartitions, configEntries }] });
  return topic;
}

/** So many records of a topic, as `{ partition, message }`, from the beginning. */
export async function read(test, topic, count, settings) {
  const { arrivals } = await startReading(test, topic, settings);
  return arrivals.first(count);
}

/** A consumer that reads a topic from the beginning, and what it has read. */
export async function startReading(test, topic, { fromBeginning = true, autoCommit = false, ...settings } = {}) {
  const consumer = await makeConsumer(test, { groupId: fresh('reader'), ...settings });
  const arrivals = new Arrivals();
  await consumer.subscribe({ topics: [topic], fromBeginning });
  await consumer.run({ autoCommit, eachMessage: async (record) => arrivals.add(record) });
  return { consumer, arrivals };
}
