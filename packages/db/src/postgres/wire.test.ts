import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';

// wire.ts overrides internals of `pg`. If this fails after an update of `pg`, compare its lib/query.js and lib/connection.js with wire.ts, run the tests on a
// server, and then update the version here.

const checkedVersion = '8.23.1';

test('pg has the version whose internals wire.ts was checked with', () => {
  const main = createRequire(import.meta.url).resolve('pg');
  expect(JSON.parse(readFileSync(join(main, '../../package.json'), 'utf8')).version).toBe(checkedVersion);
});

test('pg’s Query has the methods that wire.ts overrides', () => {
  for (const method of ['prepare', 'handleDataRow', 'handleCommandComplete', 'submit'])
    expect(pg.Query.prototype).toHaveProperty(method, expect.any(Function));
});

test('pg’s Connection has the methods and fields that wire.ts uses', () => {
  const { Connection } = pg as unknown as { Connection: new (config: object) => Record<string, unknown> };
  const connection = new Connection({});
  for (const method of ['parse', 'bind', 'execute']) expect(connection[method]).toEqual(expect.any(Function));
  expect([connection.submittedNamedStatements, connection.parsedStatements]).toEqual([{}, {}]);
  expect(connection.stream).toHaveProperty('cork');
});
