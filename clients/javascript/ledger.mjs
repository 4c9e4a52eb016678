// Who owns which partition and what was read, as the members of a group tell it.

import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';

import { until } from './broker.mjs';

export class Ledger {
  #events = new EventEmitter();
  #owners = new Map();
  #members = new Set();
  #violations = [];
  #values = new Set();

  joins(member) {
    this.#members.add(member);
  }

  leaves(member) {
    this.#members.delete(member);
    this.loses(member, this.owned(member));
  }

  gains(member, partitions) {
    for (const partition of partitions) {
      if (this.#owners.has(partition)) this.#violations.push(`partition ${partition} has two owners`);
      this.#owners.set(partition, member);
    }
    this.#events.emit('changed');
  }

  loses(member, partitions) {
    for (const partition of partitions) {
      if (this.#owners.get(partition) === member) this.#owners.delete(partition);
    }
    this.#events.emit('changed');
  }

  reads(value) {
    this.#values.add(value);
    this.#events.emit('changed');
  }

  owned(member) {
    return [...this.#owners].filter(([, owner]) => owner === member).map(([partition]) => partition).sort();
  }

  /** Until each member has as many partitions as `shares` says, in some order, and somebody has read the values. */
  async settles(shares, values = []) {
    const unread = () => values.filter((value) => !this.#values.has(value));
    const isSettled = () => String(this.#shares()) === String(shares) && unread().length === 0;
    await until(this.#events, () => this.#violations.length > 0 || isSettled(),
      () => `shares ${shares} but ${this.#shares()}, unread: ${unread()}`);
    assert.deepEqual(this.#violations, []);
  }

  #shares() {
    return [...this.#members].map((member) => this.owned(member).length).sort();
  }
}
