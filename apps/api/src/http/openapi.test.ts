import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../../testing/test-app.ts';
import { type ProblemCode, problems } from './errors.ts';
import { oauthStatusOf } from './oauth-errors.ts';

let api: TestApp;
beforeAll(async () => {
  api = await startTestApp();
});
afterAll(() => api.close());

describe('the OpenAPI document', () => {
  interface Operation {
    operationId: string;
    summary: string;
    description: string;
    responses: Record<string, { description: string; content?: Record<string, { examples?: object }> }>;
    requestBody?: { content: Record<string, { schema: { $ref: string }; example: unknown }> };
  }
  const document = async () => (await api.send('GET', '//openapi.json')).json();

  test('the OpenAPI document names the server from which it came, one content type per operation, and standard formats', async () => {
    const { servers, ...rest } = (
      await api.send('GET', '//openapi.json', { headers: { host: 'api.example.com' } })
    ).json();
    expect(servers).toEqual([{ url: 'http://api.example.com', description: 'This server' }]);
    const formats = [...JSON.stringify(rest).matchAll(/"format":"([^"]+)"/g)].map(([, format]) => format);
    const standard = ['date', 'date-time', 'email', 'uri', 'uuid'];
    expect([...new Set(formats)].filter((format) => !standard.includes(format ?? ''))).toEqual([]);
    expect(JSON.stringify(rest)).not.toContain('"oneOf"');
    for (const operation of Object.values<Record<string, Operation>>(rest.paths).flatMap((one) => Object.values(one))) {
      expect(operation.description, operation.operationId).toMatch(/.\.$/);
      expect(Object.keys(operation.requestBody?.content ?? { none: 1 }), operation.operationId).toHaveLength(1);
    }
  });

  test('the OpenAPI document is 3.1 and has every route with a unique operationId', async () => {
    const { openapi, paths } = await document();
    expect(openapi).toMatch(/^3\.1\./);
    const shown = Object.entries<Record<string, Operation>>(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    const routes = api.app.routes
      .filter(({ schema, url }) => !schema?.hide && !url.startsWith('/docs'))
      .flatMap(({ method, url }) =>
        [method].flat().map((one) => `${one.toLowerCase()} ${url.replace(/:(\w+)/g, '{$1}')}`),
      )
      .filter((route) => !route.startsWith('head '));
    expect(shown.sort()).toEqual(routes.sort());
    const ids = Object.values<Record<string, Operation>>(paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    );
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('the OpenAPI document names every schema and has an example for every body and error', async () => {
    const { paths } = await document();
    for (const operation of Object.values<Record<string, Operation>>(paths).flatMap((methods) =>
      Object.values(methods),
    )) {
      for (const { schema, example } of Object.values(operation.requestBody?.content ?? {})) {
        expect(schema.$ref, operation.operationId).toMatch(/^#\/components\/schemas\/\w+$/);
        expect(example, operation.operationId).toBeTypeOf('object');
      }
      for (const [status, { content = {} }] of Object.entries(operation.responses).filter(([code]) => code < '300')) {
        for (const { examples } of Object.values(content))
          expect(examples, `${operation.operationId} ${status}`).toBeTypeOf('object');
      }
      for (const [status, response] of Object.entries(operation.responses).filter(([code]) => code >= '400')) {
        const examples = Object.values(response.content ?? {})[0]?.examples ?? {};
        expect(Object.keys(examples).length, `${operation.operationId} ${status}`).toBeGreaterThan(0);
        for (const code of Object.keys(examples)) {
          const statusOf =
            operation.operationId === 'issueToken' ? oauthStatusOf : (one: ProblemCode) => problems[one].status;
          expect(String(statusOf(code as ProblemCode))).toBe(status);
        }
      }
    }
  });

  test('/openapi.json is compressed, has an ETag, and answers 304', async () => {
    const headers = { 'accept-encoding': 'gzip' };
    const first = await api.send('GET', '//openapi.json', { headers });
    expect(first.headers).toMatchObject({ 'content-encoding': 'gzip', etag: expect.stringMatching(/^W\/"/) });
    expect(first.rawPayload.length).toBeLessThan(Buffer.byteLength((await api.send('GET', '//openapi.json')).body) / 4);
    const again = await api.send('GET', '//openapi.json', { headers: { 'if-none-match': String(first.headers.etag) } });
    expect([again.statusCode, again.body]).toEqual([304, '']);
    const script = await api.send('GET', '//docs/static/swagger-ui-bundle.js', { headers });
    expect(script.headers).toMatchObject({ 'content-encoding': 'gzip', etag: expect.any(String) });
  });

  test('/docs does not persist the authorization in the browser', async () => {
    const page = await api.send('GET', '//docs/static/swagger-initializer.js');
    expect(page.statusCode).toBe(200);
    expect(page.body).toMatch(/"?persistAuthorization"?:\s*false/);
    expect(page.body).not.toMatch(/"?persistAuthorization"?:\s*true/);
  });

  test('/docs loads nothing from other servers', async () => {
    const page = await api.send('GET', '//docs');
    expect(page.statusCode).toBe(200);
    expect(page.body).not.toMatch(/(src|href)="https?:/);
    const assets = [...page.body.matchAll(/(?:src|href)="\.?\/?([^"]+)"/g)].map(
      ([, path]) => path?.replace(/^docs\//, '') ?? '',
    );
    expect(assets.length).toBeGreaterThan(3);
    for (const asset of assets) expect((await api.send('GET', `//docs/${asset}`)).statusCode, asset).toBe(200);
    expect(page.headers['content-security-policy']).toContain("default-src 'self'");
  });
});
