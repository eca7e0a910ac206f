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
])('%s is answered, once, and the connection closed', async (_, bytes, status) => {
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
    socket.on('error', () => {}); // it was closed while we were writing
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

test('is answered as every other error is', async () => {
  const answer = await exchange('GARBAGE\r\n\r\n');
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  expect(head).toContain('Content-Type: application/problem+json');
  const problem = JSON.parse(body);
  expect(problem).toMatchObject({
    status: 400,
    code: 'malformed_request',
    type: 'urn:quoin:problem:malformed_request',
  });
  expect(head).toContain(`X-Request-Id: ${problem.request_id}`);
});
