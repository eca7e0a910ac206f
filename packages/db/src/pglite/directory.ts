import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { NodeFS } from '@electric-sql/pglite/nodefs';

// The directory of an embedded database: private to its owner, and open in one process.

const othersMask = 0o077;

type Attributes = { mode?: number };
type NodeFileSystem = { node_ops: { setattr: (node: object, attributes: Attributes) => unknown } };

/** Creates files that only their owner can read. Emscripten gives a new file the mode that PostgreSQL asks for, regardless of the umask. */
export class PrivateFiles extends NodeFS {
  override async init(...[pglite, options]: Parameters<NodeFS['init']>): ReturnType<NodeFS['init']> {
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

/** Removes the permissions of others from a directory and everything in it. An older version or a copy may have left some. */
export function makePrivate(directory: string): void {
  chmodSync(directory, 0o700);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) makePrivate(path);
    else if (entry.isFile()) chmodSync(path, 0o600);
  }
}

/**
 * Locks a directory for this process. PGlite does not notice a second process, and rows would be lost silently. The lock is SQLite's exclusive lock on a
 * file beside the directory: the kernel holds it, so it ends with the process and cannot become stale.
 *
 * @returns a function that releases the lock
 * @throws Error that names the process which has the directory open
 */
export function lockDirectory(directory: string): () => void {
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
