// Producers, consumers and an administrator of confluent-kafka-javascript. They are disconnected with the test that made them.

import confluent from '@confluentinc/kafka-javascript';

import { Arrivals, bootstrap, fresh } from '../broker.mjs';

const { Kafka, logLevel } = confluent.KafkaJS;
export const { ErrorCodes } = confluent.KafkaJS;
export const GROUP_PROTOCOLS = {
  classic: { 'session.timeout.ms': 6_000, 'heartbeat.interval.ms': 300 },
  consumer: { 'group.protocol': 'consumer' },
};

const kafka = new Kafka({ kafkaJS: { brokers: [bootstrap], logLevel: logLevel.NOTHING }, 'reconnect.backoff.max.ms': 500 });

async function connected(test, client) {
  test.after(() => client.disconnect());
  await client.connect();
  return client;
}

// The settings are librdkafka's.
export const makeProducer = (test, settings) => connected(test, kafka.producer({ 'linger.ms': 1, ...settings }));
export const makeAdmin = (test) => connected(test, kafka.admin());
export const makeConsumer = (test, { groupId = fresh('reader'), ...settings } = {}) => connected(test, kafka.consumer({
  'group.id': groupId, 'auto.offset.reset': 'earliest', 'enable.auto.commit': false, ...settings,
}));

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

/** A consumer that reads a topic, and what it has read. */
export async function startReading(test, topic, settings) {
  const consumer = await makeConsumer(test, settings);
  const arrivals = new Arrivals();
  await consumer.subscribe({ topics: [topic] });
  await consumer.run({ eachMessage: async (record) => arrivals.add(record) });
  return { consumer, arrivals };
}

/** Whether an error has or wraps that code, for `assert.rejects`. */
export const coded = (code) => ({ code: its, errors = [], groups = [] }) =>
  [its, ...errors.map((one) => one.code), ...groups.map((group) => group.error?.code)].includes(code);
