import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newDirectory, startServer } from './server.ts';

let directory: ReturnType<typeof newDirectory>;
let server: Awaited<ReturnType<typeof startServer>>;
beforeAll(async () => {
  directory = newDirectory();
  server = await startServer({ cwd: directory.path, env: { DATABASE_URL: 'memory://' } });
});
afterAll(async () => {
  await server.end('SIGTERM');
  directory.remove();
});

/** Writes bytes to the port, and reads until the server closes the connection. */
async function exchange(bytes: string): Promise<string> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  await once(socket, 'connect');
  socket.write(bytes);
  return text(socket);
}

test.each([
  ['what is no HTTP at all', 'GARBAGE\r\n\r\n', 400],
  ['a header of 20,000 bytes', `GET /health HTTP/1.1\r\nHost: x\r\nX-Big: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
  ['a request without a host', 'GET /health HTTP/1.1\r\n\r\n', 400],
  [
    'two lengths that differ, as request smuggling has them',
    'POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n',
    400,
  ],
  ['a method that nobody knows', 'FOO /health HTTP/1.1\r\nHost: x\r\n\r\n', 400],
])('%s gets one response and a closed connection', async (_, bytes, status) => {
  const answer = await exchange(bytes);
  expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(answer.match(/HTTP\/1\.1 \d{3}/g)).toHaveLength(1);
});

test('a client that sends a header or a body byte by byte gets 408', async () => {
  const headers = 'POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
  const trickle = async (beginning: string) => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(beginning);
    const drip = setInterval(() => socket.write('x'), 500);
    socket.on('error', () => {}); // the server closed it during a write
    const answer = await text(socket).catch(() => '');
    clearInterval(drip);
    return answer;
  };
  const [header, body] = await Promise.all([
    trickle(`${headers}X-Slow: `),
    trickle(`${headers}Content-Length: 1000\r\n\r\n{`),
  ]);
  for (const answer of [header, body]) expect(answer).toMatch(/^(HTTP\/1\.1 408 |$)/);
});

const bodyless = 'Connection: close\r\n\r\n';
test.each([
  ['what is not HTTP', 'GARBAGE\r\n\r\n', 400, 'malformed_request'],
  ['a request without Host', `GET /health HTTP/1.1\r\n${bodyless}`, 400, 'malformed_request'],
  ['two Host headers', `GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n${bodyless}`, 400, 'malformed_request'],
  [
    'an unknown expectation',
    `GET /health HTTP/1.1\r\nHost: a\r\nExpect: foo\r\n${bodyless}`,
    417,
    'expectation_failed',
  ],
  [
    'a header of 20,000 bytes',
    `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`,
    431,
    'headers_too_large',
  ],
])('%s gets a problem response', async (_, bytes, status, code) => {
  const [head = '', body = ''] = (await exchange(bytes)).split('\r\n\r\n');
  expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(head).toMatch(/^content-type: application\/problem\+json/im);
  const problem = JSON.parse(body);
  expect(problem).toMatchObject({ status, code, type: `urn:quoin:problem:${code}` });
  expect(head.toLowerCase()).toContain(`x-request-id: ${problem.request_id}`);
});

test('HTTP/1.0 needs no Host header', async () => {
  expect(await exchange('GET /health HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
});
