import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createTestDatabase, testServerUrl } from '@quoin/db/testing';
import { expect, test } from 'vitest';
import { newDirectory, send, startServer } from './server.ts';

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  links?: { traceId: string }[];
  attributes: { key: string; value: { stringValue?: string; intValue?: number } }[];
}

test('OTEL_EXPORTER_OTLP_ENDPOINT receives a span per request, statement and job, linked to the caller’s', async () => {
  const bodies: string[] = [];
  const collector = createServer(async (request, response) => {
    if (request.url === '/v1/traces') bodies.push(await text(request));
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  collector.listen(0, '127.0.0.1');
  await once(collector, 'listening');
  const directory = newDirectory();
  const database = testServerUrl ? await createTestDatabase() : undefined;
  try {
    const server = await startServer({
      cwd: directory.path,
      env: {
        ...(database && { DATABASE_URL: database.url }),
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      },
    });
    const api = `${server.url}/api/v1`;
    const account = { email: 'ada@example.com', password: 'correct horse battery' };
    await send(`${api}/auth/register`, { body: account });
    const { access_token: token, refresh_token } = (await send(`${api}/auth/login`, { body: account })).body;
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const response = await fetch(`${api}/users/me/tasks`, {
      method: 'POST',
      body: JSON.stringify({ title: 'Traced' }),
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        traceparent: `00-${traceId}-b7ad6b7169203331-01`,
      },
    });
    expect(response.status).toBe(201);
    await expect.poll(() => server.output.stdout).toContain('"job":"send mail"');
    expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });

    const spans: Span[] = bodies.flatMap((body) =>
      JSON.parse(body).resourceSpans.flatMap(({ scopeSpans }: { scopeSpans: { spans: Span[] }[] }) =>
        scopeSpans.flatMap((scope) => scope.spans),
      ),
    );
    const registration = spans.find(({ name }) => name === 'POST /api/v1/auth/register');
    const linked = spans.filter(({ name }) => name === 'send mail').flatMap(({ links = [] }) => links);
    expect(linked.map((link) => link.traceId)).toContain(registration?.traceId);
    const attribute = (span: Span | undefined, key: string) => span?.attributes.find((one) => one.key === key)?.value;
    const ofRequest = spans.filter((span) => span.traceId === traceId);
    const request = ofRequest.find(({ name }) => name === 'POST /api/v1/users/:user_id/tasks');
    expect(request?.parentSpanId).toBe('b7ad6b7169203331');
    expect(attribute(request, 'http.response.status_code')).toMatchObject({ intValue: 201 });
    const statements = ofRequest.filter((span) => span.parentSpanId === request?.spanId);
    const texts = statements.map((span) => attribute(span, 'db.query.text')?.stringValue ?? '');
    expect(texts.some((one) => one.startsWith('insert into "tasks"'))).toBe(true);
    expect(texts.some((one) => one.includes('"user_sessions"'))).toBe(true);
    expect(spans.some(({ name }) => name === 'POST /api/v1/auth/login')).toBe(true);
    for (const secret of [account.password, token, refresh_token, account.email, 'Traced'])
      expect(bodies.join()).not.toContain(secret);
    expect(bodies.join()).toContain('"quoin"');
    expect(server.output.stdout).toContain(`"trace_id":"${traceId}"`);
  } finally {
    collector.close();
    await database?.close();
    directory.remove();
  }
});
