import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PGlite, type PGliteOptions, type Transaction } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';
import { vector } from '@electric-sql/pglite-pgvector';
import { type Connection, type ConnectionSource, scopeStatement, userRole } from '../connection.ts';
import { DatabaseUnavailable } from '../unavailable.ts';
import { keepCluster, keptCluster } from './new-cluster.ts';

const waitMsMax = 5_000;

/** A PostgreSQL of our own, with pgvector, in memory: a new one, or from the data directory that is given. */
export async function openInMemory(dataDirectory?: Blob): Promise<PGlite> {
  const from = dataDirectory ?? (await keptCluster());
  if (from) return open({ loadDataDir: from });
  const pglite = await open({});
  await keepCluster(pglite);
  return pglite;
}

async function open(options: PGliteOptions): Promise<PGlite> {
  const pglite = await PGlite.create({ ...options, extensions: { vector } });
  await pglite.exec(`set timezone = 'UTC'`);
  return pglite;
}

/**
 * The embedded database in `directory`, for this process alone.
 *
 * @throws Error when another process has it open.
 */
export async function openEmbedded(directory: string): Promise<ConnectionSource> {
  const path = resolve(directory);
  // Hashes of passwords lie in it.
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const unlock = lockDirectory(path);
  try {
    if (!existsSync(path)) await copyCluster(path);
    if (existsSync(path)) makePrivate(path);
    return embeddedSource(await open({ fs: new PrivateFiles(path) }), unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

const othersMask = 0o077;

type Attributes = { mode?: number };
type NodeFileSystem = { node_ops: { setattr: (node: object, attributes: Attributes) => unknown } };

/** A directory whose files only their owner may read. Emscripten gives a new file the mode that PostgreSQL asks for, whatever the umask. */
class PrivateFiles extends NodeFS {
  override async init(...[pglite, options]: Parameters<NodeFS['init']>) {
    const { emscriptenOpts } = await super.init(pglite, options);
    const restrict = ({ FS }: { FS: unknown }) => {
      const { node_ops: operations } = (FS as { filesystems: { NODEFS: NodeFileSystem } }).filesystems.NODEFS;
      const { setattr } = operations;
      operations.setattr = (node, attributes) =>
        setattr.call(
          operations,
          node,
          attributes.mode === undefined ? attributes : { ...attributes, mode: attributes.mode & ~othersMask },
        );
    };
    return { emscriptenOpts: { ...emscriptenOpts, preRun: [...(emscriptenOpts.preRun ?? []), restrict] } };
  }
}

/** Takes the permissions of others from a directory and everything in it, which an older version or a copy may have left. */
function makePrivate(directory: string): void {
  chmodSync(directory, 0o700);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) makePrivate(path);
    else if (entry.isFile()) chmodSync(path, 0o600);
  }
}

/** Makes the directory from the cluster that was kept, if one was: it is there as a whole, or not at all. */
async function copyCluster(path: string): Promise<void> {
  const part = `${path}.part`;
  rmSync(part, { recursive: true, force: true });
  const loadDataDir = await keptCluster();
  if (!loadDataDir) return;
  const pglite = await open({ fs: new PrivateFiles(part), loadDataDir });
  await pglite.close();
  renameSync(part, path);
}

/** Connections of a PGlite: it has one, which is handed from one unit of work to the next in order of arrival. */
export function embeddedSource(pglite: PGlite, closed: () => void = () => {}): ConnectionSource {
  let isHeld = false;
  const waiting: (() => void)[] = [];

  const turn = () =>
    new Promise<void>((resolve, reject) => {
      if (!isHeld) {
        isHeld = true;
        return resolve();
      }
      const enter = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(enter), 1);
        reject(new DatabaseUnavailable(`the embedded database was busy for ${waitMsMax / 1000} s`));
      }, waitMsMax);
      waiting.push(enter);
    });

  const release = () => {
    const next = waiting.shift();
    if (next) next();
    else isHeld = false;
  };

  const query = async <Row>(on: Pick<Transaction, 'query'>, text: string, values: readonly unknown[] = []) => {
    const { rows, affectedRows = 0 } = await on.query<Row>(text, [...values]);
    return { rows, affectedRows };
  };
  const connection: Connection = {
    query: (text, values) => query(pglite, text, values),
    queryAs: (userId, text, values) =>
      pglite.transaction(async (transaction) => {
        await transaction.query(scopeStatement, [userRole, userId]);
        return query(transaction, text, values);
      }),
    execute: async (script) => void (await pglite.exec(script)),
    release,
  };

  const acquire = async () => {
    if (pglite.closed) throw new DatabaseUnavailable('the embedded database is closed');
    await turn();
    return connection;
  };

  return {
    isEmbedded: true,
    acquire,
    acquireShared: acquire,
    acquireUnlimited: acquire,
    connections: () => ({ open: 1, idle: isHeld ? 0 : 1, waiting: waiting.length, max: 1 }),
    close: async () => {
      if (pglite.closed) return;
      await turn();
      await pglite.close();
      release();
      closed();
    },
  };
}

/**
 * PGlite does not notice a second process in its directory, and rows are lost silently. The lock is SQLite's exclusive one
 * on a file beside the directory: the kernel holds it, so it ends with the process, however that ends, and none can be stale.
 */
function lockDirectory(directory: string): () => void {
  const pidFile = `${directory}.pid`;
  const lock = new DatabaseSync(`${directory}.lock`, { timeout: 0 });
  try {
    lock.exec('pragma locking_mode = exclusive; begin exclusive');
  } catch (error) {
    lock.close();
    throw new Error(
      `the embedded database in ${directory} is in use by process ${readPid(pidFile)}: stop that process first, ` +
        'or use a PostgreSQL server (DATABASE_URL), which any number of processes can share',
      { cause: error },
    );
  }
  writeFileSync(pidFile, `${process.pid}\n`);
  for (const file of [pidFile, `${directory}.lock`]) chmodSync(file, 0o600);
  return () => lock.close();
}

function readPid(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '(unknown)';
  }
}
