import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import type { PGlite } from '@electric-sql/pglite';

// initdb takes 1.2 to 2.3 s and always has the same result; loading its result takes 0.3 s. So the first new database leaves a copy in
// node_modules/.cache. Not in the system's temporary directory, where another user could put one. If the directory is read-only, as in a container,
// nothing is cached.

const module = createRequire(import.meta.url).resolve('@electric-sql/pglite');
const [modules = ''] = module.split('/@electric-sql/');
/** Version of PGlite. */
export const { version: pgliteVersion } = JSON.parse(
  await readFile(`${modules}/@electric-sql/pglite/package.json`, 'utf8'),
);
/** Contains the SHA-256 of a tar archive, and the archive. */
export const initdbCacheFile = `${modules}/.cache/embedded-cluster-${pgliteVersion}`;

const digestBytes = 32;
const digestOf = (archive: Buffer) => createHash('sha256').update(archive).digest();

/** Returns the data directory of a new cluster; undefined if none is cached, or if the cache is damaged. */
export async function readInitdbCache(): Promise<Blob | undefined> {
  const bytes = await readFile(initdbCacheFile).catch(() => Buffer.alloc(0));
  const [digest, archive] = [bytes.subarray(0, digestBytes), bytes.subarray(digestBytes)];
  // Checked here, because PGlite fails on a damaged archive in a way that cannot be caught.
  return digest.equals(digestOf(archive)) ? new Blob([archive], { type: 'application/x-tar' }) : undefined;
}

/** Caches the data directory of a new, unused database. */
export async function writeInitdbCache(pglite: PGlite): Promise<void> {
  const archive = Buffer.from(await (await pglite.dumpDataDir('none')).arrayBuffer());
  const part = `${initdbCacheFile}.${process.pid}`;
  try {
    await mkdir(dirname(initdbCacheFile), { recursive: true });
    await writeFile(part, Buffer.concat([digestOf(archive), archive]), { mode: 0o600 });
    // Renamed when complete, because another process may read it.
    await rename(part, initdbCacheFile);
  } catch {
    await rm(part, { force: true }).catch(() => {});
  }
}
