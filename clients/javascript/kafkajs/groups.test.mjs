// Members of one group: who owns what, and where they go on.

import assert from 'node:assert/strict';
import test from 'node:test';

import { Arrivals, fresh, range } from '../broker.mjs';
import { Ledger } from '../ledger.mjs';
import { makeAdmin, makeConsumer, makeProducer, makeTopic, startReading } from './client.mjs';

/** A consumer that tells the ledger what happens to it. */
class Member {
  static async join(t, groupId, topic, ledger) {
    const member = new Member();
    Object.assign(member, { ledger, consumer: await makeConsumer(t, { groupId }) });
    const { GROUP_JOIN, REBALANCING } = member.consumer.events;
    member.consumer.on(GROUP_JOIN, ({ payload }) => ledger.gains(member, payload.memberAssignment[topic] ?? []));
    member.consumer.on(REBALANCING, () => ledger.loses(member, member.owned));
    ledger.joins(member);
    await member.consumer.subscribe({ topics: [topic], fromBeginning: true });
    await member.consumer.run({ eachMessage: async ({ message }) => ledger.reads(message.value.toString()) });
    return member;
  }

  get owned() {
    return this.ledger.owned(this);
  }

  async leave() {
    this.ledger.leaves(this);
    await this.consumer.disconnect();
  }
}

test('group classic', async (t) => {
  const topic = await makeTopic(t, 4);
  const groupId = fresh('group');
  const ledger = new Ledger();
  const producer = await makeProducer(t);
  const join = (count) => Promise.all(range(count).map(() => Member.join(t, groupId, topic, ledger)));
  const settle = async (shares, name) => {
    const messages = range(20).map((number) => ({ partition: number % 4, value: `${name} ${number}` }));
    await producer.send({ topic, messages });
    await ledger.settles(shares, messages.map(({ value }) => value));
  };

  const group = await join(2);
  await settle([2, 2], 'two');
  group.push(...await join(3));
  await settle([0, 1, 1, 1, 1], 'five');
  const leaving = group.filter(({ owned }) => owned.length > 0).slice(0, 2);
  const staying = group.filter((member) => !leaving.includes(member));
  await Promise.all(leaving.map((member) => member.leave()));
  await settle([1, 1, 2], 'three');
  await Promise.all(staying.slice(1).map((member) => member.leave()));
  await settle([4], 'one');
});

test('commit resume', async (t) => {
  const topic = await makeTopic(t);
  const groupId = fresh('group');
  const producer = await makeProducer(t);
  await producer.send({ topic, messages: range(100).map((number) => ({ value: `${number}` })) });

  const first = await startReading(t, topic, { groupId });
  await first.arrivals.first(50);
  await first.consumer.commitOffsets([{ topic, partition: 0, offset: '50', metadata: 'half of it' }]);
  await first.consumer.disconnect();

  const admin = await makeAdmin(t);
  assert.deepEqual(await admin.fetchOffsets({ groupId }), [{ topic, partitions: [{ partition: 0, offset: '50', metadata: 'half of it' }] }]);
  const second = await startReading(t, topic, { groupId });
  const records = await second.arrivals.first(50);
  assert.deepEqual(records.map(({ message }) => message.offset), range(50).map((number) => `${50 + number}`));
});

test('commit resume from the earliest', async (t) => {
  const topic = await makeTopic(t);
  const producer = await makeProducer(t);
  await producer.send({ topic, messages: [{ value: 'old' }] });
  const { arrivals } = await startReading(t, topic, { fromBeginning: true });
  assert.equal((await arrivals.first(1))[0].message.value.toString(), 'old');
});

test('commit resume from the latest', async (t) => {
  const topic = await makeTopic(t);
  const producer = await makeProducer(t);
  await producer.send({ topic, messages: [{ value: 'old' }] });

  const consumer = await makeConsumer(t, { groupId: fresh('group') });
  const arrivals = new Arrivals();
  const positions = new Arrivals();
  // An answer to a fetch shows that the member knows where the log ends.
  consumer.on(consumer.events.FETCH, () => positions.add(true));
  await consumer.subscribe({ topics: [topic], fromBeginning: false });
  await consumer.run({ eachMessage: async (record) => arrivals.add(record) });
  await positions.first(1);
  await producer.send({ topic, messages: [{ value: 'new' }] });
  assert.equal((await arrivals.first(1))[0].message.value.toString(), 'new');
});
