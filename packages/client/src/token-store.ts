/** The tokens of one session. */
export interface Tokens {
  /** Which session they are of: made up at sign-in, and kept when they are refreshed. */
  session: string;
  accessToken: string;
  refreshToken: string;
  /** From when on the next access token is asked for, in milliseconds since 1970 by this machine's clock: a little before it expires. */
  refreshAt: number;
}

/** Where a session is kept between calls, and between visits. */
export interface TokenStore {
  /**
   * What all who share this store's content know it by, such as the tabs of a browser: one of them at a time changes it, where there are
   * Web Locks. Left out where nobody else does.
   */
  readonly name?: string;
  get(): Tokens | undefined | Promise<Tokens | undefined>;
  /** Keeps the tokens, or forgets them. */
  set(tokens: Tokens | undefined): void | Promise<void>;
}

/** Keeps the session for as long as the process or the page lives: for scripts and services, and where a visit is to end with its tab. */
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
 * Keeps the session in the browser's IndexedDB, which all tabs of the origin share. Not in `localStorage`: there a tab can miss for a moment what
 * another has written, even under a lock. Any script of the page can read it: a page that runs the scripts of strangers keeps its session in memory.
 *
 * @param name the name of the database
 */
export function browserStore(name = 'session'): TokenStore {
  let opened: Promise<IDBDatabase> | undefined;
  /** Somebody deletes it, or the browser gives it up: the next call opens it anew. */
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
