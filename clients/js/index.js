// The locks of a running Larder, and its cache, for what an app does outside the database. No dependencies.

const EXPIRE_SECONDS = 30;
const RETRY_DELAY_MS = 100;
// A lock is renewed so often within the time it is held for; a renewal that failed is tried again sooner.
const RENEWALS = 3;
const TRIES = 50;

export class LockBusyError extends Error {
  constructor(key) {
    super('operation already in progress');
    this.name = 'LockBusyError';
    this.key = key;
  }
}

export class LarderError extends Error {
  constructor(message, status, options) {
    super(message, options);
    this.name = 'LarderError';
    this.status = status;
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function createLarder(options = {}) {
  const environment = globalThis.process?.env ?? {};
  const url = options.url ?? environment.LARDER_ADMIN_URL;
  const token = options.token ?? environment.LARDER_ADMIN_TOKEN;
  const send = options.fetch ?? globalThis.fetch;
  if (!url) throw new LarderError('where is Larder? Give `url`, or set LARDER_ADMIN_URL', 0);

  /** Asks for a page. `accept` are statuses that mean something to the caller; all others are thrown. */
  async function ask(method, path, order, accept) {
    const headers = { ...(token && { authorization: `Bearer ${token}` }), ...(order && { 'content-type': 'application/json' }) };
    const target = new URL(path, url);
    let answer;
    try {
      answer = await send(target, { method, headers, body: order && JSON.stringify(order) });
    } catch (cause) {
      throw new LarderError(`Larder does not answer on ${url}`, 0, { cause });
    }
    const body = await answer.json().catch(() => ({}));
    if (!accept.includes(answer.status)) throw new LarderError(body.message ?? `status ${answer.status}`, answer.status);
    return { status: answer.status, body };
  }

  const lockOf = (key) => `/api/locks/${encodeURIComponent(key)}`;

  const hold = (seconds = EXPIRE_SECONDS) => `${Math.round(seconds * 1000)}ms`;

  async function acquireLock(key, { expireSeconds, retries = 0, retryDelay = RETRY_DELAY_MS } = {}) {
    for (let tries = 0; ; tries += 1) {
      const { status, body } = await ask('POST', lockOf(key), { hold: hold(expireSeconds) }, [201, 409]);
      if (status === 201) return { key, token: body.token, fence: body.fence, expiresIn: body.expires_in };
      if (tries >= retries) return null;
      await pause(retryDelay);
    }
  }

  async function renewLock(lock, { expireSeconds = lock.expiresIn } = {}) {
    const order = { token: lock.token, hold: hold(expireSeconds) };
    return (await ask('PUT', lockOf(lock.key), order, [200, 409])).status === 200;
  }

  async function releaseLock(lock) {
    return (await ask('DELETE', lockOf(lock.key), { token: lock.token }, [200, 409])).status === 200;
  }

  async function isLocked(key) {
    return (await ask('GET', lockOf(key), undefined, [200])).body.held;
  }

  /** Renews until told to stop. A store that cannot be asked is asked again; a lock that is lost ends it. */
  async function keep(lock, stopped, lost) {
    const within = (times) => (lock.expiresIn * 1000) / times;
    let wait = within(RENEWALS);
    while (!stopped.aborted) {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, wait);
        stopped.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
      });
      if (stopped.aborted) return;
      const held = await renewLock(lock).catch(() => undefined);
      wait = within(held === undefined ? TRIES : RENEWALS);
      if (held === false) return lost.abort(new LarderError(`the lock ${lock.key} was lost`, 409));
    }
  }

  async function withLock(key, fn, options) {
    const lock = await acquireLock(key, options);
    if (!lock) throw new LockBusyError(key);
    const stopped = new AbortController();
    const lost = new AbortController();
    const keeping = keep(lock, stopped.signal, lost);
    try {
      return await fn(lock, lost.signal);
    } finally {
      stopped.abort();
      await keeping;
      // what could not be released ends by itself; it must not hide what fn returned or threw
      await releaseLock(lock).catch(() => false);
    }
  }

  /** Makes entries disappear from every proxy that shares the store; resolves when no later read can see them. */
  async function invalidate(what) {
    const order = typeof what === 'string' ? { pattern: what } : Array.isArray(what) ? { keys: what } : what;
    if (order.keys?.length === 0) return;
    await ask('POST', '/api/cache/clear', order, [200]);
  }

  return { invalidate, withLock, acquireLock, renewLock, releaseLock, isLocked };
}
