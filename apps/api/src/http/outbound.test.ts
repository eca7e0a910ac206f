import { createServer, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createOutbound, isPublicAddress, OutboundRefused } from './outbound.ts';

const message = { headers: { 'x-test': '1' }, body: '{}', signal: new AbortController().signal };

let url: string;
let port: number;
let answer: (request: IncomingMessage) => { status: number; headers?: Record<string, string>; body?: string } | 'never';
const received: { headers: IncomingMessage['headers']; url: string | undefined }[] = [];
const server = createServer((request, response) => {
  received.push({ headers: request.headers, url: request.url });
  const made = answer(request);
  if (made === 'never') return;
  response.writeHead(made.status, made.headers).end(made.body ?? '');
});
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as { port: number }).port;
  url = `http://hooks.example.com:${port}/path?query=1`;
  answer = () => ({ status: 200 });
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** For the receiver of the test, which is on this machine. */
const local = (lookup = async () => ['127.0.0.1']) => createOutbound({ allowsPrivate: true, lookup });

describe('public addresses', () => {
  test.each(['93.184.216.34', '8.8.8.8', '2606:2800:220:1:248:1893:25c8:1946', '2a00:1450:4001:81b::200e'])(
    '%s is public',
    (address) => expect(isPublicAddress(address)).toBe(true),
  );

  test.each([
    '0.0.0.0',
    '10.0.0.1',
    '100.64.0.1',
    '127.0.0.1',
    '127.8.8.8',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.1',
    '192.0.2.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::1',
    '100::1',
    '2001:db8::1',
    '2001::1',
    '2002:7f00:1::',
    'fc00::1',
    'fd12:3456:789a::1',
    'fe80::1',
    'fec0::1',
    'ff02::1',
    'not an address',
  ])('%s is not public', (address) => expect(isPublicAddress(address)).toBe(false));
});

describe('a request to a URL from data', () => {
  const outbound = createOutbound({ lookup: async () => ['127.0.0.1'] });

  test.each([
    ['http', 'http://example.com/'],
    ['another scheme', 'ftp://example.com/'],
    ['a file', 'file:///etc/passwd'],
    ['a username', 'https://user@example.com/'],
    ['a password', 'https://user:secret@example.com/'],
    ['a private address', 'https://10.0.0.1/'],
    ['a loopback address', 'https://127.0.0.1/'],
    ['a decimal address', 'https://2130706433/'],
    ['a hexadecimal address', 'https://0x7f.1/'],
    ['the loopback address of IPv6', 'https://[::1]/'],
    ['a mapped address', 'https://[::ffff:169.254.169.254]/'],
    ['a name that leads to a private address', 'https://internal.example.com/'],
    ['no URL', 'example.com'],
  ])('refuses %s', async (_, target) => {
    received.length = 0;
    await expect(outbound(target, message)).rejects.toBeInstanceOf(OutboundRefused);
    expect(received).toEqual([]);
  });

  test('refuses a name if one of its addresses is private', async () => {
    const mixed = createOutbound({ lookup: async () => ['93.184.216.34', '192.168.1.1'] });
    await expect(mixed('https://example.com/', message)).rejects.toBeInstanceOf(OutboundRefused);
  });

  test('resolves a name once and connects to the address that was checked', async () => {
    received.length = 0;
    const answers = [['127.0.0.1'], ['10.0.0.1']];
    const asked: string[] = [];
    const rebinding = local(async (name = '') => {
      asked.push(name);
      return answers.shift() ?? [];
    });
    expect((await rebinding(url, message)).status).toBe(200);
    expect(asked).toEqual(['hooks.example.com']);
    expect(received).toMatchObject([
      { url: '/path?query=1', headers: { host: `hooks.example.com:${port}`, 'x-test': '1' } },
    ]);
  });

  test('does not follow redirects', async () => {
    received.length = 0;
    answer = () => ({ status: 302, headers: { location: '/elsewhere' } });
    expect((await local()(url, message)).status).toBe(302);
    expect(received).toHaveLength(1);
  });

  test('reads 64 KiB of a response and no more', async () => {
    answer = () => ({ status: 200, body: 'x'.repeat(10_000_000) });
    expect((await local()(url, message)).body).toHaveLength(64 * 1024);
  });

  test('an answer that switches protocols is a failure', async () => {
    answer = () => ({ status: 101, headers: { connection: 'Upgrade', upgrade: 'x' } });
    await expect(local()(url, message)).rejects.toThrow('closed without an answer');
    answer = () => ({ status: 200 });
  });

  test('tries the other addresses of a name if the first one does not answer', async () => {
    received.length = 0;
    expect((await local(async () => ['127.0.0.2', '127.0.0.1'])(url, message)).status).toBe(200);
    expect(received).toHaveLength(1);
  });

  test('ends when its signal is aborted', async () => {
    answer = () => 'never';
    const controller = new AbortController();
    const sending = local()(url, { ...message, signal: controller.signal });
    setImmediate(() => controller.abort());
    await expect(sending).rejects.toThrow(/abort/i);
    answer = () => ({ status: 200 });
  });

  test('fails if nothing answers, or the name does not exist', async () => {
    await expect(local()('http://hooks.example.com:1/', message)).rejects.toThrow('ECONNREFUSED');
    await expect(local(async () => [])(url, message)).rejects.toBeInstanceOf(OutboundRefused);
  });
});
