import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem, startTestApp, type TestApp } from '../../testing/test-app.ts';

let api: TestApp;
beforeAll(async () => {
  api = await startTestApp({ NODE_ENV: 'development' });
});
afterAll(() => api.close());

describe('the landing page', () => {
  test('is a page of HTML that may load nothing, and says what runs', async () => {
    const { statusCode, headers, body } = await api.send('GET', '//');
    expect([statusCode, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha256-/);
    expect(body).toContain('Running for development');
    expect(body).toContain('href="/docs"');
    expect(body).not.toMatch(/<script|https?:\/\//);
  });

  test('has no guides in production, and says nothing of where it runs', async () => {
    const production = await startTestApp({ NODE_ENV: 'production' });
    const { statusCode, body } = await production.send('GET', '//');
    expect(statusCode).toBe(200);
    expect(body).not.toMatch(/guides|Running for|embedded|DATABASE_URL/);
    expectProblem(await production.send('GET', '//guides/README.md'), 404, 'not_found');
    await production.close();
  });
});

describe('the guides', () => {
  test('are those of the repository, with links that hold and tables that are scrolled by themselves', async () => {
    const { body } = await api.send('GET', '//guides/docs/operations.md');
    expect(body).toContain('<title>Running it in production</title>');
    expect(body).toMatch(/<h2 id="deploy-on-one-machine">/);
    expect(body).toContain('<div class="wide"><table>');
    const targets = [...body.matchAll(/href="([^"#:]+\.md)/g)].map(
      ([, path = '']) => new URL(path, 'http://x/guides/docs/').pathname,
    );
    expect(targets.length).toBeGreaterThan(0);
    for (const target of targets)
      expect([target, (await api.send('GET', `/${target}`)).statusCode]).toEqual([target, 200]);
  });

  test.each(['nothing.md', '../package.json', '..%2f.env', 'apps/api/src/config/config.ts', 'docs', '', '%00'])(
    'and nothing else: %j',
    async (path) => {
      const response = await api.send('GET', `//guides/${path}`);
      expect([404, 422]).toContain(response.statusCode);
      expect(response.headers['content-type']).toMatch(/problem\+json/);
    },
  );
});
