// The two kinds of case, and how each is played on both sides.
//
// Everything happens on the direct side, then through Larder; each step's answers must be equal.
// Cases say in addition what Larder's Cache-Status must be. Where another rules file is in use
// (`expectations: false`) only the answers count.
import { comparable, isEqual, sideBySide } from './answer.mjs';

/**
 * A read, made twice. `ask(side)` returns supabase-js' answer.
 * `outcome` of the second time, through Larder: `hit`, `unkept <reason>` or `pass <reason>`.
 */
export const read = (name, ask, outcome = 'hit') => ({ name, play: (stage) => playRead(stage, ask, outcome) });

/**
 * A write, made twice, and what can be seen of it.
 * - `sees`: reads by name. They are in the cache before the write, and as new as the direct ones after it.
 * - `act(side)`: the write.
 * - `changes`: names of the reads that must look different after the first write (else the case proves nothing).
 * - `keeps`: names of the reads that must still be hits after it, because the write does not concern them.
 */
export const write = (name, { sees = {}, act, changes = [], keeps = [] }) => ({
  name,
  play: (stage) => playWrite(stage, { sees, act, changes, keeps }),
});

/** Anything else: `act(side)` does it and returns what must be equal; made once. */
export const act = (name, action) => ({ name, play: (stage) => stage.both('once', action) });

async function playRead(stage, ask, outcome) {
  await stage.both('the first time', ask);
  const second = await stage.both('the second time', ask);
  stage.expectEvery(second.trace, outcome, 'the second time');
}

async function playWrite(stage, { sees, act, changes, keeps }) {
  const before = {};
  for (const [name, ask] of Object.entries(sees)) {
    await stage.both(`${name} before, cold`, ask);
    const hot = await stage.both(`${name} before, hot`, ask);
    stage.expectEvery(hot.trace, 'hit', `${name} before the write`);
    before[name] = hot.answer;
  }
  for (const time of ['first', 'second']) {
    await stage.both(`the ${time} write`, act);
    for (const [name, ask] of Object.entries(sees)) {
      const after = await stage.both(`${name} after the ${time} write`, ask);
      if (time === 'second') continue;
      if (changes.includes(name) && isEqual(before[name], after.answer)) stage.fail(`${name} should look different after the write`);
      if (keeps.includes(name)) stage.expectEvery(after.trace, 'hit', `${name} after the write`);
    }
  }
}

/** Where a case is played: two sides, and a tally of what Larder said. */
export class Stage {
  #failures = [];
  /** How often each outcome was seen in `Cache-Status`. */
  tally = new Map();

  constructor(direct, through, { expectations, show }) {
    this.direct = direct;
    this.through = through;
    this.expectations = expectations;
    this.show = show;
  }

  /** Plays one case; returns its failures. */
  async play(aCase) {
    this.#failures = [];
    try {
      await aCase.play(this);
    } catch (error) {
      this.fail(error.stack);
    }
    return this.#failures;
  }

  fail(message) {
    this.#failures.push(message);
  }

  /** Does one thing on both sides; what comes back and what went over the wire must be equal. */
  async both(when, action) {
    const direct = await this.#on(this.direct, action);
    const through = await this.#on(this.through, action);
    for (const { cacheStatus } of through.trace) {
      const outcome = outcomeOf(cacheStatus);
      this.tally.set(outcome, (this.tally.get(outcome) ?? 0) + 1);
    }
    const all = ({ answer, wire }) => ({ answer, wire });
    if (this.show) console.log(`     ${when}: ${JSON.stringify(all(through))}`);
    if (!isEqual(all(direct), all(through))) {
      this.fail(`${when}: different answers\n${sideBySide(['directly', all(direct)], ['through Larder', all(through)])}`);
    }
    return through;
  }

  expectEvery(trace, outcome, when) {
    if (!this.expectations) return;
    for (const { method, path, cacheStatus } of trace) {
      if (outcomeOf(cacheStatus) !== outcome) this.fail(`${when}: expected ${outcome}, got ${cacheStatus} for ${method} ${path}`);
    }
  }

  async #on(side, action) {
    side.takeTrace();
    const result = await action(side);
    const trace = side.takeTrace();
    const wire = trace.map(({ cacheStatus: _, ...rest }) => comparable(rest, side.names));
    return { answer: comparable(result, side.names), wire, trace };
  }
}

/** `larder; fwd=bypass; detail=head` → `pass head`: the words of larder_requests_total's outcomes. */
export function outcomeOf(cacheStatus) {
  const [who, first = '', ...rest] = (cacheStatus ?? '').split('; ');
  if (who !== 'larder') return `no Cache-Status (${cacheStatus})`;
  const detail = rest.find((part) => part.startsWith('detail='))?.slice('detail='.length);
  switch (first) {
    case 'hit': return 'hit';
    case 'fwd=method': return 'write';
    case 'fwd=bypass': return `pass ${detail}`;
    case 'fwd=miss': return rest.includes('stored') ? 'miss' : rest.includes('collapsed') ? 'joined' : `unkept ${detail}`;
    default: return cacheStatus;
  }
}
