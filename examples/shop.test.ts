/// <reference lib="dom" />
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runIn } from '../e2e/downstream/project.ts';
import { freePort, send } from '../e2e/server.ts';

// Makes the shop with the commands of its README, and uses it as its operator, its developer and a customer do.

const root = join(import.meta.dirname, '..');
const place = mkdtempSync(join(tmpdir(), 'quoin-shop-'));
const shop = join(place, 'shop');
const admin = { email: 'operator@example.com', password: 'correct horse battery' };
const children: ChildProcess[] = [];
let browser: Browser;

beforeAll(async () => {
  const readme = readFileSync(join(root, 'examples/shop/README.md'), 'utf8');
  const [, commands = ''] = /```bash\n([\s\S]*?)```/.exec(readme) ?? [];
  const here = { GIT_AUTHOR_NAME: 'A', GIT_AUTHOR_EMAIL: 'a@example.com' };
  await runIn(root, 'bash', ['-euc', commands.replaceAll('../shop', shop)], {
    ...here,
    GIT_COMMITTER_NAME: 'A',
    GIT_COMMITTER_EMAIL: 'a@example.com',
  });
  const executablePath =
    process.env.TEST_CHROMIUM || execFileSync(join(root, 'scripts/chromium.sh'), { encoding: 'utf8' }).trim();
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
}, 900_000);
afterAll(async () => {
  await browser?.close();
  for (const child of children) {
    process.kill(-(child.pid ?? 0), 'SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
  }
  rmSync(place, { recursive: true, force: true });
});

test('the shop passes lint, types and the checks of its database', async () => {
  expect(await runIn(shop, 'npm', ['run', '--silent', 'lint'])).toContain(
    'migrations: comments and locks are in order',
  );
  const database = { DATABASE_URL: `pglite://${shop}/.data/check` };
  const db = (...args: string[]) => runIn(shop, 'npm', ['run', '--silent', 'db', '--', ...args], database);
  await db('upgrade');
  expect(await db('check')).toBe('database, migrations and entities agree\n');
  expect(await db('docs', '--check')).toContain('up to date');
});

test('docs/tutorial.md quotes files of the shop, and types its commands', () => {
  const tutorial = readFileSync(join(root, 'docs/tutorial.md'), 'utf8');
  const excerpts = [...tutorial.matchAll(/```ts\n\/\/ (\S+)\n([\s\S]*?)```/g)];
  expect(excerpts.length).toBe(7);
  for (const [, file = '', lines = ''] of excerpts) {
    const text = readFileSync(join(shop, file), 'utf8');
    for (const line of lines.trimEnd().split('\n')) expect([file, text.includes(line)]).toEqual([file, true]);
  }
  const typed = (text: string) =>
    [...text.replaceAll(/ \\\n +/g, ' ').matchAll(/^npm run new -- (?:resource|job|mail) .*$/gm)].map(([line]) => line);
  expect(typed(tutorial).sort()).toEqual(typed(readFileSync(join(root, 'examples/shop/README.md'), 'utf8')).sort());
});

test('the shop passes its tests', async () => {
  const features = ['categories', 'products', 'orders', 'reviews', 'mail'].map((name) => `apps/api/src/${name}`);
  const tests = [...features, 'apps/api/src/app.test.ts', 'packages/db/src/row-security.test.ts'];
  const said = await runIn(shop, 'npx', ['vitest', 'run', '--no-color', ...tests]);
  expect(said).toMatch(/Tests +\d+ passed/);
  expect(said).not.toMatch(/\d failed/);
});

test('a customer finds a product, orders it, and sees the order', async () => {
  const [apiPort, webPort] = [await freePort(), await freePort()];
  const start = (command: string, args: string[], cwd: string, env: Record<string, string>) =>
    void children.push(spawn(command, args, { cwd, env: { ...process.env, ...env }, detached: true, stdio: 'ignore' }));
  start('npm', ['start', '--silent'], shop, {
    NODE_ENV: 'development',
    PORT: String(apiPort),
    DATABASE_URL: 'memory://',
    LOG_LEVEL: 'warn',
    FIRST_ADMIN_EMAIL: admin.email,
    FIRST_ADMIN_PASSWORD: admin.password,
  });
  start(
    join(shop, 'web/node_modules/.bin/vite'),
    ['preview', '--port', String(webPort), '--strictPort'],
    join(shop, 'web'),
    {
      API_URL: `http://127.0.0.1:${apiPort}`,
    },
  );
  const url = `http://127.0.0.1:${apiPort}/api/v1`;
  const answers = (one: string) =>
    fetch(one).then(
      ({ ok }) => ok,
      () => false,
    );
  await expect.poll(() => answers(`http://127.0.0.1:${apiPort}/health/ready`)).toBe(true);
  await expect.poll(() => answers(`http://localhost:${webPort}/`)).toBe(true);

  const { access_token: token } = (await send(`${url}/auth/login`, { body: admin })).body;
  const category = (await send(`${url}/categories`, { token, body: { name: 'Stones' } })).body;
  for (const [name, stock] of [
    ['Brick', 5],
    ['Tile', 0],
  ])
    expect(
      await send(`${url}/products`, { token, body: { name, price: '2.50', stock, category_id: category.id } }),
    ).toMatchObject({ status: 201 });

  const page = await browser.newPage();
  page.setDefaultTimeout(240_000);
  const problems: Error[] = [];
  page.on('pageerror', (error) => problems.push(error));
  await page.goto(`http://localhost:${webPort}/`);
  await page.waitForSelector('li:has-text("Brick, 2.50 €, 5 left")');
  expect(await page.isDisabled('text=Add Tile')).toBe(true);
  await page.fill('#search', 'bri');
  await page.waitForSelector('li:has-text("Tile")', { state: 'detached' });
  await page.click('text=Add Brick');
  await page.click('text=Add Brick');
  await page.waitForSelector('text=2 in your cart');
  await page.fill('[name=email]', 'ada@example.com');
  await page.fill('[name=password]', admin.password);
  await page.click('text=Register');
  await page.fill('[name=address]', '1 Kiln Lane');
  await page.click('text=Order');
  await page.waitForSelector('text=Thank you for your order.');
  await page.waitForSelector('#orders li:has-text("5.00 €, placed, to 1 Kiln Lane")');
  await page.waitForSelector('li:has-text("Brick, 2.50 €, 3 left")');
  await page.reload();
  await page.waitForSelector('#orders li:has-text("1 Kiln Lane")');
  expect(problems).toEqual([]);
});
