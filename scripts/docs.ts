import { existsSync, globSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';

// Checks that every command, make target, variable and file that a document names exists. Exits with 1 and a line for each that does not. Other
// checks: error codes in app.test.ts, the schema in `npm run db -- docs --check`, the README's session in e2e/start.test.ts.

const read = (path: string) => readFileSync(path, 'utf8');
const pages = globSync(['*.md', 'docs/**/*.md', 'packages/*/README.md', '.github/*.md']);
const faults: string[] = [];
const expect = (isTrue: boolean, fault: string) => {
  if (!isTrue) faults.push(fault);
};

const scripts = Object.keys(JSON.parse(read('package.json')).scripts);
const targets = [...read('Makefile').matchAll(/^([\w-]+):/gm)].map(([, target]) => target ?? '');
const commandsOf = (path: string) =>
  [...read(path).matchAll(/^ {2}([a-z][\w-]*)[ \n]/gm)].map(([, command]) => command);
const commands: Record<string, (string | undefined)[]> = {
  db: [...commandsOf('packages/db/src/cli/cli.ts'), 'reembed'],
  sessions: ['end-all'],
  user: commandsOf('apps/api/src/commands/user.ts'),
};

const readByConfig = new Set(
  [
    ...globSync('apps/api/src/{config,product}/*.ts')
      .map(read)
      .join('\n')
      .matchAll(/(?:read\.\w+\(\s*|env\.)'?([A-Z][A-Z0-9_]+)'?/g),
  ].map(([, name]) => name ?? ''),
);
const inExample = new Set([...read('.env.example').matchAll(/^([A-Z][A-Z0-9_]+)=/gm)].map(([, name]) => name ?? ''));
const elsewhere = new Set([
  'TEST_DATABASE_URL',
  'TEST_POOLER_URL',
  'TEST_REDIS_URL',
  'TEST_CHROMIUM',
  'TEST_ADMIN_URL',
  'MALFORMED_REQUESTS',
  'JOB_KILLS',
  'DATABASE_MIGRATOR_PASSWORD',
  'DATABASE_SERVER_PASSWORD',
  'NO_COLOR',
  'QUOIN_PG_HOME',
  'QUOIN_PG_DURABLE',
]);
for (const name of readByConfig) expect(inExample.has(name), `.env.example: ${name} is missing`);
for (const name of inExample) expect(readByConfig.has(name), `.env.example: nothing reads ${name}`);

for (const page of pages) {
  const text = read(page);
  const fault = (what: string) => `${page}: ${what}`;
  // The tutorial is about files and variables of a product; test:examples compares it with them.
  const isOfProduct = page === 'docs/tutorial.md';
  for (const [, script = '', command] of text.matchAll(
    /npm run (?:-s )?([\w:-]+)(?![\w:-]| --prefix)(?: -- (\w[\w-]*))?/g,
  )) {
    expect(scripts.includes(script), fault(`there is no script ${script}`));
    if (command && commands[script])
      expect(commands[script].includes(command), fault(`${script} has no command ${command}`));
  }
  for (const [, target = ''] of text.matchAll(/`make ([\w-]+)/g))
    expect(targets.includes(target), fault(`there is no target ${target}`));
  for (const [, name = ''] of text.matchAll(/`([A-Z][A-Z0-9]*_[A-Z0-9_]+)(?:=[^`]*)?`/g)) {
    expect(
      isOfProduct || inExample.has(name) || elsewhere.has(name) || name.startsWith('OTEL_'),
      fault(`there is no variable ${name}`),
    );
  }
  for (const [, path = ''] of text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
    expect(existsSync(posix.join(posix.dirname(page), path)), fault(`there is no file ${path}`));
  }
  for (const [, path = '', name = ''] of text.matchAll(/`([\w./-]+\.test\.ts)` "([^"]+)"/g)) {
    const file = existsSync(path) ? path : `apps/api/src/${path}`;
    expect(existsSync(file) && read(file).includes(name), fault(`there is no test "${name}" in ${path}`));
  }
  for (const [, path = ''] of text.matchAll(/`((?:packages|apps|docs|scripts|e2e|bench)\/[\w./-]*\w)`/g)) {
    expect(isOfProduct || existsSync(path), fault(`there is no file ${path}`));
  }
}

// The picture of the architecture may omit a resource, but everything in it must exist.
const [, picture = ''] = /```\n([\s\S]*?)```/.exec(read('docs/architecture.md')) ?? [];
const folders = globSync(['apps/api/src/*/', 'packages/db/src/*/']).map((path) => posix.basename(path));
for (const [, folder = ''] of picture.matchAll(/(?<=[│ ] +| {2})([a-z][a-z-]*)\/(?= |$)/gm))
  expect(folders.includes(folder), `docs/architecture.md: there is no ${folder}/`);

process.stdout.write(faults.length > 0 ? `${faults.join('\n')}\n` : `what ${pages.length} pages name is there\n`);
process.exitCode = faults.length > 0 ? 1 : 0;
