// What the tests of every JavaScript client find: the broker, a way to have it killed, names that are new in each run, and patience.

import { randomUUID } from 'node:crypto';
import { EventEmitter, on } from 'node:events';

export const bootstrap = process.env.BROKER_BOOTSTRAP;
export const PATIENCE_MS = 30_000;

/** `fresh('orders')` is a name that nobody has used before. */
export const fresh = (kind) => `${kind}-${randomUUID().slice(0, 13)}`;

/** Kills the broker, and is done when it serves requests again. */
export async function restartBroker() {
  const answer = await fetch(`${process.env.BROKER_CONTROL}/restart`, { method: 'POST' });
  if (!answer.ok) throw new Error(`the broker did not come back: ${await answer.text()}`);
}

/** Values that come one by one, for whoever waits for enough of them. */
export class Arrivals {
  #events = new EventEmitter();
  values = [];

  add(value) {
    this.values.push(value);
    this.#events.emit('changed');
  }

  /** Until there are so many; returns them. */
  async first(count) {
    await until(this.#events, () => this.values.length >= count, () => `${count} values but ${this.values.length}`);
    return this.values.slice(0, count);
  }

  /** Until there is one like this; returns all up to there. */
  async upTo(isLast) {
    await until(this.#events, () => this.values.some(isLast), () => `the last of ${this.values.length} values`);
    return this.values.slice(0, this.values.findIndex(isLast) + 1);
  }
}

/** Looks at a condition now and after each event `changed`, until it holds. Past the deadline it fails and says what did not come. */
export async function until(events, condition, what) {
  const deadline = AbortSignal.timeout(PATIENCE_MS);
  const changes = on(events, 'changed', { signal: deadline });
  try {
    while (!condition()) await changes.next();
  } catch (error) {
    throw error.name === 'AbortError' ? new Error(`not within ${PATIENCE_MS} ms: ${what()}`) : error;
  } finally {
    await changes.return();
  }
}

/** The numbers from 0, one less than the count at last. */
export const range = (count) => [...Array(count).keys()];

/** Asks again and again, for what a cluster may take a moment to agree about, until the answer is yes. */
export async function eventually(ask, what) {
  const deadline = AbortSignal.timeout(PATIENCE_MS);
  while (!await ask()) {
    if (deadline.aborted) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`);
  }
}
