import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import type { PGlite } from '@electric-sql/pglite';

// What initdb makes takes seconds, and comes out the same every time. It is kept beside what is installed, in node_modules/.cache, and the next
// embedded database starts from a copy. Not in the system's folder for temporary files, where somebody else could put one for us. Where nothing
// can be written, as in a container, nothing is kept.

const module = createRequire(import.meta.url).resolve('@electric-sql/pglite');
const [modules = ''] = module.split('/@electric-sql/');
const { version } = JSON.parse(await readFile(`${modules}/@electric-sql/pglite/package.json`, 'utf8'));
/** Where it is kept: the SHA-256 of a tar file, and the tar file. */
export const clusterFile = `${modules}/.cache/embedded-cluster-${version}`;

const digestBytes = 32;
const digestOf = (archive: Buffer) => createHash('sha256').update(archive).digest();

/** The data directory of a new cluster; undefined where none was kept yet, or not whole. */
export async function keptCluster(): Promise<Blob | undefined> {
  const bytes = await readFile(clusterFile).catch(() => Buffer.alloc(0));
  const [digest, archive] = [bytes.subarray(0, digestBytes), bytes.subarray(digestBytes)];
  // Looked at here, since PGlite takes what is no archive for a compressed one, and fails where nobody can catch it.
  return digest.equals(digestOf(archive)) ? new Blob([archive], { type: 'application/x-tar' }) : undefined;
}

/** Keeps what initdb has made of this one, which nobody has used yet. */
export async function keepCluster(pglite: PGlite): Promise<void> {
  const archive = Buffer.from(await (await pglite.dumpDataDir('none')).arrayBuffer());
  const part = `${clusterFile}.${process.pid}`;
  try {
    await mkdir(dirname(clusterFile), { recursive: true });
    await writeFile(part, Buffer.concat([digestOf(archive), archive]), { mode: 0o600 });
    // Under its name only when it is whole: somebody may be waiting for it.
    await rename(part, clusterFile);
  } catch {
    await rm(part, { force: true }).catch(() => {});
  }
}
