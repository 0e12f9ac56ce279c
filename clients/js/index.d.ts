/** Where a running Larder answers operators, and as whom it is asked. */
export interface LarderOptions {
  /** As in `http://127.0.0.1:8081`; default: `LARDER_ADMIN_URL` of the environment. */
  url?: string;
  /** The admin token; default: `LARDER_ADMIN_TOKEN` of the environment. */
  token?: string;
  /** For environments without a global `fetch`. */
  fetch?: typeof fetch;
}

export interface LockOptions {
  /** How long the lock outlives its holder, 1 to 3600; default 30. `withLock` renews it while `fn` runs. */
  expireSeconds?: number;
  /** How often to try again while somebody else holds it; default 0. */
  retries?: number;
  /** Milliseconds between two tries; default 100. */
  retryDelay?: number;
}

/** A lock that is held. */
export interface Lock {
  readonly key: string;
  /** Proves that it is yours. */
  readonly token: string;
  /** Higher than that of everybody who held it before: send it along, so that whoever receives it can refuse older ones. */
  readonly fence: number;
  readonly expiresIn: number;
}

/** Somebody else holds the lock. */
export class LockBusyError extends Error {
  readonly name: 'LockBusyError';
  readonly key: string;
}

/** Larder did not do what it was asked. `status` is 0 if nobody answered. */
export class LarderError extends Error {
  readonly name: 'LarderError';
  readonly status: number;
}

/** What should disappear: a key or a pattern, several keys, or one of the objects. */
export type Invalidated =
  | string
  | readonly string[]
  | { table: string }
  | { namespace: string }
  | { all: true };

export interface Larder {
  /**
   * Makes entries disappear, as a write does, for what changed behind Larder's back. A string is a key
   * (`properties:detail:5`), `namespace:*`, `*`, or a pattern that a write rule names; an array holds keys.
   * Resolves when no later read, through any proxy that shares the store, gets an answer from before.
   */
  invalidate(what: Invalidated): Promise<void>;
  /**
   * Runs `fn` while holding the lock, renews it meanwhile, and releases it in the end, also if `fn` throws.
   * `signal` is aborted if the lock is lost. Throws `LockBusyError` if somebody else holds it after all tries.
   */
  withLock<T>(key: string, fn: (lock: Lock, signal: AbortSignal) => Promise<T> | T, options?: LockOptions): Promise<T>;
  /** Takes the lock; `null` if somebody else holds it after all tries. */
  acquireLock(key: string, options?: LockOptions): Promise<Lock | null>;
  /** Holds it for another `expireSeconds`; `false` if it was lost. */
  renewLock(lock: Lock, options?: Pick<LockOptions, 'expireSeconds'>): Promise<boolean>;
  /** Frees it; `false` if it was not yours any more. */
  releaseLock(lock: Lock): Promise<boolean>;
  /** Does anybody hold it? */
  isLocked(key: string): Promise<boolean>;
}

export function createLarder(options?: LarderOptions): Larder;
