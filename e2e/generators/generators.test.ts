import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { password, startTestApp, type TestApp, uniqueEmail } from '../../apps/api/testing/test-app.ts';
import { root, runIn } from '../downstream/project.ts';

// Generators of clients: each is installed by itself, makes a client of the OpenAPI document, which is compiled with strict settings and calls the API.

const unknownId = '0199e0f5-7c1e-7b3a-9a53-0f5ce9a1c2d4';

interface Caller {
  call(baseUrl: string, email: string, password: string, unknownId: string): Promise<unknown>;
}

let api: TestApp;
let baseUrl: string;
let document: string;
beforeAll(async () => {
  api = await startTestApp();
  baseUrl = await api.app.listen({ host: '127.0.0.1', port: 0 });
  document = await (await fetch(`${baseUrl}/openapi.json`)).text();
});
afterAll(() => api.close());

test.each(['hey-api', 'orval', 'kubb', 'openapi-zod-client'])(
  '%s generates a client that compiles and works',
  async (name) => {
    const path = mkdtempSync(join(tmpdir(), 'quoin-generator-'));
    const run = (command: string, ...args: string[]) => runIn(path, command, args);
    const global = globalThis.fetch;
    try {
      cpSync(join(import.meta.dirname, name), path, { recursive: true });
      writeFileSync(join(path, 'openapi.json'), document);
      await run('npm', 'ci', '--no-audit', '--no-fund', '--prefer-offline');
      await run('sh', '-e', 'generate.sh');
      const options = [
        '--noEmit',
        '--strict',
        '--module',
        'esnext',
        '--moduleResolution',
        'bundler',
        '--target',
        'es2023',
      ];
      const libraries = [
        '--lib',
        'es2023,dom,dom.iterable',
        '--types',
        'node',
        '--skipLibCheck',
        '--allowImportingTsExtensions',
      ];
      const types = ['--typeRoots', join(root, 'node_modules/@types')];
      await run(join(root, 'node_modules/.bin/tsc'), ...options, ...libraries, ...types, 'call.ts');
      const { call } = (await import(join(path, 'call.ts'))) as Caller;
      const email = uniqueEmail();
      expect(await call(baseUrl, email, password, unknownId)).toEqual({
        email,
        title: 'Lay the cornerstone',
        titles: ['Lay the cornerstone'],
        error: 'not_found',
      });
    } finally {
      globalThis.fetch = global;
      rmSync(path, { recursive: true, force: true });
    }
  },
);
