// One side of the comparison: clients that reach Supabase at one address, and what they were answered.
import { createClient } from '@supabase/supabase-js';

/** The answer's headers that mean something to an app; both sides must agree on them. */
const MEANINGFUL_HEADERS = ['content-type', 'content-range', 'content-profile', 'content-disposition', 'location', 'preference-applied'];

/** Far more than any answer needs, so that a request that hangs fails its case and the run goes on. */
const ANSWER_MS_MAX = 30_000;

export class Side {
  /** Every request since the last `takeTrace`. */
  #trace = [];
  /** Generated values that differ between the sides (a user's id), and what to call them. */
  names = new Map();

  constructor(name, address, keys) {
    this.name = name;
    this.address = address;
    this.keys = keys;
    this.anon = this.client(keys.publishableKey);
    this.service = this.client(keys.secretKey);
    this.ann = this.client(keys.publishableKey);
    this.ben = this.client(keys.publishableKey);
  }

  client(key) {
    return createClient(this.address, key, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
      global: { fetch: (input, init) => this.#fetch(input, init) },
    });
  }

  /** A request that supabase-js cannot make, as anon. */
  async raw(path, { headers, ...init } = {}) {
    const answer = await this.#fetch(this.address + path, { ...init, headers: { apikey: this.keys.publishableKey, ...headers } });
    return { status: answer.status, body: await answer.text() };
  }

  takeTrace() {
    return this.#trace.splice(0);
  }

  async #fetch(input, init = {}) {
    const answer = await fetch(input, { ...init, signal: init.signal ?? AbortSignal.timeout(ANSWER_MS_MAX) });
    this.#trace.push({
      method: init.method ?? 'GET',
      path: decodeURIComponent(String(input?.url ?? input).slice(this.address.length)),
      status: answer.status,
      headers: Object.fromEntries(MEANINGFUL_HEADERS.map((name) => [name, answer.headers.get(name)])),
      cacheStatus: answer.headers.get('cache-status'),
    });
    return answer;
  }
}
