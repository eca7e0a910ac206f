import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { connect } from './connect.ts';
import { upgrade } from './migrate/migrate.ts';
import { initdbCacheFile, readInitdbCache } from './pglite/initdb-cache.ts';
import { clientFor } from './postgres/hosts.ts';
import { parseServerUrl } from './postgres/server-url.ts';

const directories: string[] = [];
const newDirectory = () => {
  const directory = mkdtempSync(join(tmpdir(), 'quoin-connect-'));
  directories.push(directory);
  return directory;
};
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

test.each(['', 'mysql://localhost/x', 'pglite://', 'sqlite://x', '/var/lib/x', 'postgres:/x'])(
  'connect rejects the URL %j with a message',
  async (url) => {
    await expect(connect(url)).rejects.toThrow('DATABASE_URL must be postgres://…, pglite://DIRECTORY or memory://');
  },
);

describe('the embedded database', () => {
  beforeAll(async () => (await connect('memory://')).close()); // fills the cache

  test('the embedded database is created completely, even if a killed start left a part of it', async () => {
    const path = join(newDirectory(), 'data');
    mkdirSync(`${path}.part`);
    writeFileSync(join(`${path}.part`, 'PG_VERSION'), 'half of it');
    const database = await connect(`pglite://${path}`);
    await upgrade(database);
    await database.close();
    expect(existsSync(`${path}.part`)).toBe(false);
  });

  test('the embedded database is created from scratch if the initdb cache is damaged', async () => {
    for (const useless of ['', Buffer.alloc(2_000, 1), readFileSync(initdbCacheFile).subarray(0, -512)]) {
      writeFileSync(initdbCacheFile, useless);
      expect(await readInitdbCache()).toBeUndefined();
    }
    for (const url of [`pglite://${newDirectory()}/data`, 'memory://', `pglite://${newDirectory()}/data`]) {
      const database = await connect(url);
      await database.ping();
      await database.close();
    }
    expect(await readInitdbCache()).toBeDefined();
  });

  test('the embedded database is private at every start: directory 0700, files without permissions for others', async () => {
    const path = join(newDirectory(), 'data');
    const modesOfOthers = (directory: string): string[] =>
      readdirSync(directory, { recursive: true, withFileTypes: true })
        .map((entry) => join(entry.parentPath, entry.name))
        .filter((file) => (statSync(file).mode & 0o077) !== 0);
    const start = async () => {
      const database = await connect(`pglite://${path}`);
      await database.ping();
      await database.maintain((connection) => connection.execute('create table if not exists t as select 1 as n'));
      await database.close();
    };
    await start();
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(modesOfOthers(path)).toEqual([]);
    chmodSync(path, 0o755);
    chmodSync(join(path, 'PG_VERSION'), 0o666);
    await start();
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(modesOfOthers(path)).toEqual([]);
    for (const file of [`${path}.pid`, `${path}.lock`]) expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('the embedded database keeps its data, and only one connection can have it open', async () => {
    const url = `pglite://${newDirectory()}/nested/data`;
    const first = await connect(url);
    await upgrade(first);
    await first.system().users.create({ email: 'kept@example.com', password_hash: 'x' });
    await expect(connect(url)).rejects.toThrow(new RegExp(`in use by process ${process.pid}: stop that process first`));
    await first.close();

    const second = await connect(url);
    expect(await second.system().users.findByEmail('kept@example.com')).toMatchObject({
      email: 'kept@example.com',
    });
    await second.close();
  });

  test('the embedded database is closed to a second process until the first one is killed', async () => {
    const url = `pglite://${newDirectory()}/data`;
    const script = `import { connect } from ${JSON.stringify(import.meta.resolve('./connect.ts'))};
      await connect(process.argv[1]); console.log('open'); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, url], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
      await expect(connect(url)).rejects.toThrow(`in use by process ${child.pid}`);
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    const own = await connect(url);
    await own.ping();
    await own.close();
  });
});

describe('parseServerUrl', () => {
  const host = 'postgres://user:p%40ss@ep-x.eu-central-1.aws.neon.tech/app';

  test.each([
    ['', undefined],
    ['?sslmode=disable', false],
    ['?sslmode=no-verify', { rejectUnauthorized: false }],
    ['?sslmode=require', { rejectUnauthorized: true }],
    ['?sslmode=require&channel_binding=require', { rejectUnauthorized: true }],
    ['?sslmode=verify-full&sslrootcert=system', { rejectUnauthorized: true }],
  ])('maps the TLS parameters %j', (query, ssl) => {
    const [config] = parseServerUrl(`${host}${query}`).hosts;
    expect(config.ssl).toEqual(ssl);
    expect(config.connectionString).toBe(host);
  });

  test('parsing a server URL keeps other parameters', () => {
    expect(parseServerUrl(`${host}?options=-c%20search_path%3Dx&sslmode=require`).hosts[0].connectionString).toContain(
      'options=-c',
    );
  });

  test.each(['prefer', 'allow', 'nonsense'])(
    'a server URL with sslmode=%s is rejected, because it may mean plain text',
    (mode) => {
      expect(() => parseServerUrl(`${host}?sslmode=${mode}`)).toThrow(`sslmode=${mode} is not supported`);
    },
  );

  test('a server URL can name several hosts and the kind of session', () => {
    const { hosts, kind } = parseServerUrl(
      'postgres://me:p%2C@one:5433,[::1],three/data?target_session_attrs=any&options=x',
    );
    expect(hosts.map(({ connectionString }) => connectionString)).toEqual([
      'postgres://me:p%2C@one:5433/data?options=x',
      'postgres://me:p%2C@[::1]/data?options=x',
      'postgres://me:p%2C@three/data?options=x',
    ]);
    expect(kind).toBe('any');
    expect(parseServerUrl(host)).toMatchObject({ hosts: [{ connectionString: host }], kind: 'read-write' });
    expect(() => parseServerUrl(`${host}?target_session_attrs=best`)).toThrow(
      'target_session_attrs=best is not supported',
    );
  });

  test('a client whose connection breaks between connecting and its first statement does not end the process', () => {
    const Client = clientFor(parseServerUrl(host));
    expect(new Client().emit('error', new Error('terminated'))).toBe(true);
  });

  test('a malformed server URL is rejected without being repeated', () => {
    expect(() => parseServerUrl('postgres://user:secret@:x')).toThrow(/^DATABASE_URL is not a URL: write/);
  });
});
