// Transactions: what is seen of them, and who may write them.

import assert from 'node:assert/strict';
import test from 'node:test';

import { eventually, fresh, range } from '../broker.mjs';
import { ErrorCodes, coded, makeAdmin, makeProducer, makeTopic, read, startReading } from './client.mjs';

const makeTransactional = (t, id = fresh('copier')) => makeProducer(t, { 'transactional.id': id, 'transaction.timeout.ms': 30_000 });
const both = (value) => range(2).map((partition) => ({ partition, value }));

test('transactions that are committed and aborted', async (t) => {
  const topic = await makeTopic(t, 2);
  const producer = await makeTransactional(t);
  for (const end of ['abort', 'commit']) {
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: both(end) });
    await transaction[end]();
  }
  const plain = await makeProducer(t);
  await plain.send({ topic, messages: both('after') });

  const seen = async (count, level) =>
    (await read(t, topic, count, { 'isolation.level': level })).map(({ message }) => message.value.toString()).sort();
  assert.deepEqual(await seen(4, 'read_committed'), ['after', 'after', 'commit', 'commit']);
  assert.deepEqual(await seen(6, 'read_uncommitted'), ['abort', 'abort', 'after', 'after', 'commit', 'commit']);
});

test('transactions of a copier', async (t) => {
  const source = await makeTopic(t);
  const target = await makeTopic(t);
  const filler = await makeProducer(t);
  await filler.send({ topic: source, messages: range(20).map((number) => ({ value: `${number}` })) });
  const groupId = fresh('group');
  const { consumer, arrivals } = await startReading(t, source, { groupId });
  const records = await arrivals.first(20);
  const copier = await makeTransactional(t);
  const admin = await makeAdmin(t);

  const copy = async (end) => {
    const transaction = await copier.transaction();
    await transaction.send({ topic: target, messages: records.map(({ message }) => ({ value: message.value })) });
    await transaction.sendOffsets({ consumer, topics: [{ topic: source, partitions: [{ partition: 0, offset: '20' }] }] });
    await transaction[end]();
  };
  const committed = async () => {
    const topics = await admin.fetchOffsets({ groupId, topics: [source], requireStableOffsets: true });
    return topics[0]?.partitions[0]?.offset;
  };
  await copy('abort');
  assert.equal(await committed(), undefined, 'the aborted transaction moved no offset');
  await copy('commit');
  // Apache Kafka answers before the commit of offsets is there.
  await eventually(async () => await committed() === '20', 'the offsets of the copier');

  await filler.send({ topic: target, messages: [{ value: 'last' }] });
  const copied = (await read(t, target, 21, { 'isolation.level': 'read_committed' })).map(({ message }) => message.value.toString());
  assert.deepEqual(copied, [...range(20).map(String), 'last']);
});

test('transactions of a fenced producer', async (t) => {
  const topic = await makeTopic(t);
  const id = fresh('copier');
  const first = await makeTransactional(t, id);
  const fenced = await first.transaction();
  await fenced.send({ topic, messages: [{ value: 'of the first' }] });
  const second = await makeTransactional(t, id);
  await assert.rejects(fenced.commit(), coded(ErrorCodes.ERR__FENCED));

  const transaction = await second.transaction();
  await transaction.send({ topic, messages: [{ value: 'of the second' }] });
  await transaction.commit();
  const [{ message }] = await read(t, topic, 1, { 'isolation.level': 'read_committed' });
  assert.equal(message.value.toString(), 'of the second');
});
