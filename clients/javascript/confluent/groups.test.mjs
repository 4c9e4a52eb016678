// Members of one group: who owns what, and where they go on.

import assert from 'node:assert/strict';
import test from 'node:test';

import { fresh, range } from '../broker.mjs';
import { Ledger } from '../ledger.mjs';
import { ErrorCodes, GROUP_PROTOCOLS, makeAdmin, makeConsumer, makeProducer, makeTopic, startReading } from './client.mjs';

/** A consumer that tells the ledger what happens to it. */
class Member {
  revocations = [];

  static async join(t, groupId, topic, ledger, settings) {
    const member = new Member();
    const rebalance = (event, partitions) => member.#note(event, partitions.map(({ partition }) => partition));
    member.ledger = ledger;
    member.consumer = await makeConsumer(t, { groupId, 'enable.auto.commit': true, rebalance_cb: rebalance, ...settings });
    ledger.joins(member);
    await member.consumer.subscribe({ topics: [topic] });
    await member.consumer.run({ eachMessage: async ({ message }) => ledger.reads(message.value.toString()) });
    return member;
  }

  #note({ code }, partitions) {
    if (code === ErrorCodes.ERR__ASSIGN_PARTITIONS) {
      this.ledger.gains(this, partitions);
    } else {
      this.revocations.push(partitions.sort());
      this.ledger.loses(this, partitions);
    }
  }

  get owned() {
    return this.ledger.owned(this);
  }

  async leave() {
    await this.consumer.disconnect();
    this.ledger.leaves(this);
  }
}

async function sendTo(t, topic) {
  const producer = await makeProducer(t);
  return async (name) => {
    const values = range(20).map((number) => `${name} ${number}`);
    await producer.send({ topic, messages: values.map((value, number) => ({ partition: number % 4, value })) });
    return values;
  };
}

for (const [protocol, settings] of Object.entries(GROUP_PROTOCOLS)) {
  test(`group ${protocol}`, async (t) => {
    const topic = await makeTopic(t, 4);
    const groupId = fresh('group');
    const ledger = new Ledger();
    const send = await sendTo(t, topic);
    const join = (count) => Promise.all(range(count).map(() => Member.join(t, groupId, topic, ledger, settings)));

    const group = await join(2);
    await ledger.settles([2, 2], await send('two'));
    group.push(...await join(3));
    await ledger.settles([0, 1, 1, 1, 1], await send('five'));
    const leaving = group.filter(({ owned }) => owned.length > 0).slice(0, 2);
    const staying = group.filter((member) => !leaving.includes(member));
    await Promise.all(leaving.map((member) => member.leave()));
    await ledger.settles([1, 1, 2], await send('three'));
    await Promise.all(staying.slice(1).map((member) => member.leave()));
    await ledger.settles([4], await send('one'));
  });
}

test('group cooperative', async (t) => {
  const topic = await makeTopic(t, 4);
  const groupId = fresh('group');
  const ledger = new Ledger();
  const send = await sendTo(t, topic);
  const settings = { ...GROUP_PROTOCOLS.classic, 'partition.assignment.strategy': 'cooperative-sticky' };
  const first = await Member.join(t, groupId, topic, ledger, settings);
  await ledger.settles([4]);
  const second = await Member.join(t, groupId, topic, ledger, settings);
  await ledger.settles([2, 2], await send('both'));
  // A moment in which the first one was without what it keeps would be a revocation.
  assert.deepEqual(first.revocations, [second.owned], 'only what the second one got was taken from the first, and once');
});

test('commit resume', async (t) => {
  const topic = await makeTopic(t);
  const groupId = fresh('group');
  const producer = await makeProducer(t);
  await producer.send({ topic, messages: range(100).map((number) => ({ value: `${number}` })) });

  const first = await startReading(t, topic, { groupId });
  await first.arrivals.first(50);
  await first.consumer.commitOffsets([{ topic, partition: 0, offset: '50', metadata: 'half of it' }]);
  const [kept] = await first.consumer.committed([{ topic, partition: 0 }]);
  assert.deepEqual([kept.offset, kept.metadata], ['50', 'half of it']);
  await first.consumer.disconnect();

  const admin = await makeAdmin(t);
  const [{ partitions: [listed] }] = await admin.fetchOffsets({ groupId });
  assert.deepEqual([listed.partition, listed.offset, listed.metadata], [0, '50', 'half of it']);
  const second = await startReading(t, topic, { groupId });
  const records = await second.arrivals.first(50);
  assert.deepEqual(records.map(({ message }) => message.offset), range(50).map((number) => `${50 + number}`));
});

test('commit resume from the earliest', async (t) => {
  const topic = await makeTopic(t);
  const producer = await makeProducer(t);
  await producer.send({ topic, messages: [{ value: 'old' }] });
  const { arrivals } = await startReading(t, topic, { 'auto.offset.reset': 'earliest' });
  assert.equal((await arrivals.first(1))[0].message.value.toString(), 'old');
});

test('commit resume from the latest', async (t) => {
  const topic = await makeTopic(t);
  const producer = await makeProducer(t);
  await producer.send({ topic, messages: [{ value: 'old' }] });
  const { arrivals } = await startReading(t, topic, { 'auto.offset.reset': 'latest' });
  // Where the log ends for this member shows with the first record that it reads: one after the other is sent until then.
  while (arrivals.values.length === 0) await producer.send({ topic, messages: [{ value: 'new' }] });
  assert.equal(arrivals.values[0].message.value.toString(), 'new');
});
