import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newDirectory, startServer } from '../server.ts';
import { newProject, root, runIn } from './project.ts';

// Installs each tarball of `npm run pack` into an empty project, and compiles and runs the example of its README there.

const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
let tarballs: string[];
beforeAll(async () => {
  tarballs = (await runIn(root, process.execPath, ['scripts/pack.ts'])).trim().split('\n');
});

/** The first example of a README. */
const exampleOf = (name: string) =>
  /```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, 'packages', name, 'README.md'), 'utf8'))?.[1] ?? '';

async function install(name: string, example: string) {
  const project = newProject();
  const { path, run } = project;
  const tarball = tarballs.find((one) => one.includes(`-${name}-`)) ?? '';
  writeFileSync(join(path, 'package.json'), JSON.stringify({ name: 'empty', type: 'module', private: true }));
  const typescript = `typescript@${devDependencies.typescript}`;
  const types = `@types/node@${devDependencies['@types/node']}`;
  await run('npm', 'install', '--no-audit', '--no-fund', '--prefer-offline', join(root, tarball), typescript, types);
  writeFileSync(join(path, 'example.ts'), example);
  return project;
}

const strict = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--module', 'nodenext', '--target', 'esnext'];
/** The declarations of PGlite do not compile under strict settings. */
const moreFor: Record<string, string[]> = { db: ['--types', 'node', '--skipLibCheck'] };

describe.each(['db', 'client'])('@quoin/%s, from its tarball', (name) => {
  let installed: Awaited<ReturnType<typeof install>>;
  let output: string;
  beforeAll(async () => {
    const directory = newDirectory();
    const server = await startServer({ cwd: directory.path, env: { DATABASE_URL: 'memory://' } });
    installed = await install(name, exampleOf(name).replaceAll('http://localhost:8000', server.url));
    output = await installed.run(process.execPath, 'example.ts').finally(() => server.end('SIGTERM'));
    directory.remove();
  });
  afterAll(() => installed.remove());

  test('the package runs the example of its README', () => {
    const expected = { db: "[ 'Lay the cornerstone' ]\n", client: 'true\nvalidation_failed /title\n' }[name];
    expect(output).toBe(expected);
  });

  test('the package has types for strict settings', async () => {
    const check = (file: string) =>
      installed.run(join('node_modules', '.bin', 'tsc'), ...strict, ...(moreFor[name] ?? []), file);
    expect(await check('example.ts')).toBe('');
    const wrong = exampleOf(name).replace('Lay the cornerstone', '').replace("title: ''", 'titel: 1');
    writeFileSync(join(installed.path, 'wrong.ts'), wrong);
    await expect(check('wrong.ts')).rejects.toThrow('titel');
  });

  test('the package contains JavaScript, declarations and source maps, and no tests', () => {
    const path = join(installed.path, 'node_modules', '@quoin', name);
    const files = globSync('**/*', { cwd: path });
    for (const file of ['package.json', 'README.md', 'LICENSE', 'dist/src/index.js', 'dist/src/index.d.ts'])
      expect(files).toContain(file);
    expect(files.filter((file) => /test|tsconfig/.test(file) && !file.startsWith('dist/testing'))).toEqual([]);
    const { sources, sourcesContent } = JSON.parse(readFileSync(join(path, 'dist/src/index.js.map'), 'utf8'));
    expect([sources.length, sourcesContent[0]]).toEqual([1, expect.stringContaining('export')]);
    const manifest = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
    expect(manifest).not.toHaveProperty('private');
    const modules = { types: './dist/src/index.d.ts', default: './dist/src/index.js' };
    const commonJs = { types: './dist/cjs/src/index.d.ts', default: './dist/cjs/src/index.js' };
    expect(manifest.exports['.']).toEqual(name === 'client' ? { import: modules, require: commonJs } : modules);
    expect(manifest.main).toBe(name === 'client' ? commonJs.default : undefined);
  });

  test('the package can be imported through its exports only', async () => {
    const inside = `import('@quoin/${name}/dist/src/index.js').catch(({ code }) => console.log(code))`;
    expect(await installed.run(process.execPath, '--eval', inside)).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED\n');
  });
});

test('@quoin/client can be required by CommonJS, also with types', async () => {
  const project = await install('client', '');
  try {
    writeFileSync(
      join(project.path, 'package.json'),
      JSON.stringify({ name: 'common', type: 'commonjs', private: true }),
    );
    const program = `import { createClient } from '@quoin/client';\nconsole.log(typeof createClient({ baseUrl: 'x' }).GET);\n`;
    writeFileSync(join(project.path, 'program.ts'), program);
    const compiler = join('node_modules', '.bin', 'tsc');
    const options = ['--strict', '--module', 'node16', '--target', 'es2022', '--lib', 'es2022,dom', '--types', 'node'];
    expect(await project.run(compiler, ...options, 'program.ts')).toBe('');
    expect(readFileSync(join(project.path, 'program.js'), 'utf8')).toContain('require("@quoin/client")');
    expect(await project.run(process.execPath, 'program.js')).toBe('function\n');
  } finally {
    project.remove();
  }
});

test('@quoin/client depends on openapi-fetch only', async () => {
  const { dependencies } = JSON.parse(readFileSync(join(root, 'packages/client/package.json'), 'utf8'));
  expect(Object.keys(dependencies)).toEqual(['openapi-fetch']);
});
