/** The tokens of one session. */
export interface Tokens {
  /** Identifies the session. Generated at sign-in and kept across refreshes. */
  session: string;
  accessToken: string;
  refreshToken: string;
  /** Time at which the tokens are refreshed, shortly before the access token expires: milliseconds since 1970 by this machine's clock. */
  refreshAt: number;
}

/** Storage of a session between calls and between visits. */
export interface TokenStore {
  /**
   * Name of the lock (Web Locks) under which one tab at a time changes the content. Omit it if no other tab or process shares the content.
   */
  readonly name?: string;
  get(): Tokens | undefined | Promise<Tokens | undefined>;
  /** Stores the tokens, or deletes them. */
  set(tokens: Tokens | undefined): void | Promise<void>;
}

/** Keeps the session in memory until the process or page ends: for scripts and services, and for sessions that end with their tab. */
export function memoryStore(): TokenStore {
  let kept: Tokens | undefined;
  return {
    get: () => kept,
    set: (tokens) => {
      kept = tokens;
    },
  };
}

const table = 'sessions';

/**
 * Keeps the session in the browser's IndexedDB, which all tabs of the origin share. With `localStorage`, a tab can briefly miss what another tab
 * has written, even under a lock. Every script of the page can read the session, so use `memoryStore` on pages with third-party scripts.
 *
 * @param name name of the IndexedDB database
 */
export function browserStore(name = 'session'): TokenStore {
  let opened: Promise<IDBDatabase> | undefined;
  /** The user or the browser deleted the database. The next call opens it again. */
  const forget = () => {
    opened = undefined;
  };

  const within = async (mode: IDBTransactionMode, work: (sessions: IDBObjectStore) => IDBRequest) => {
    opened ??= openDatabase(name, forget);
    opened.catch(forget);
    const transaction = (await opened).transaction(table, mode);
    const request = work(transaction.objectStore(table));
    return new Promise<unknown>((resolve, reject) => {
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
    });
  };
  return {
    name,
    get: async () => (await within('readonly', (sessions) => sessions.get(name))) as Tokens | undefined,
    set: async (tokens) => {
      await within('readwrite', (sessions) => (tokens ? sessions.put(tokens, name) : sessions.delete(name)));
    },
  };
}

function openDatabase(name: string, closed: () => void): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1);
  return new Promise((resolve, reject) => {
    request.onupgradeneeded = () => request.result.createObjectStore(table);
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      const database = request.result;
      database.onclose = closed;
      database.onversionchange = () => {
        closed();
        database.close();
      };
      resolve(database);
    };
  });
}
