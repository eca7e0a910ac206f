import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase, testServerUrl } from '@quoin/db/testing';
import { SMTPServer } from 'smtp-server';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { newDirectory, send, startServer } from './server.ts';

// Mail as it leaves the process: to files, or to an SMTP server that is sometimes down.

const password = 'correct horse battery';
const email = 'ada@example.com';

let directory: ReturnType<typeof newDirectory>;
let database: TestDatabase | undefined;
let env: Record<string, string>;
beforeEach(async () => {
  directory = newDirectory();
  database = testServerUrl ? await createTestDatabase() : undefined;
  env = database ? { DATABASE_URL: database.url } : {};
});
afterEach(async () => {
  await database?.close();
  directory.remove();
});

test('without SMTP_URL a mail is a file, and the token in its link works', async () => {
  const server = await startServer({ cwd: directory.path, env });
  const api = `${server.url}/api/v1`;
  expect((await send(`${api}/auth/register`, { body: { email, password } })).status).toBe(201);
  const outbox = join(directory.path, '.data/outbox');
  const mails = () => (existsSync(outbox) ? readdirSync(outbox).filter((name) => name.endsWith('.eml')) : []);
  await expect.poll(() => mails().length).toBe(1);
  const [file = ''] = mails();
  const [link = '', token] =
    /^http:\/\/localhost:3000\/verify-email\?token=(\S{64})$/m.exec(
      decodeQuotedPrintable(readFileSync(join(outbox, file), 'utf8')),
    ) ?? [];
  await expect.poll(() => server.output.stdout).toContain(link);
  expect((await send(`${api}/auth/email/verify`, { body: { token } })).status).toBe(204);
  await server.end('SIGTERM');
});

test('a mail that was not sent before a crash is sent once after it', async () => {
  const received: string[] = [];
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData: (stream, { envelope }, callback) => {
      stream.on('data', () => {});
      stream.on('end', () => {
        received.push(...envelope.rcptTo.map(({ address }) => address));
        callback();
      });
    },
  });
  const listening = (port: number) =>
    new Promise<number>((resolve) =>
      smtp.listen(port, '127.0.0.1', () => resolve((smtp.server.address() as { port: number }).port)),
    );
  // A port without a listener at first.
  const port = await listening(0);
  await new Promise<void>((resolve) => smtp.server.close(() => resolve()));
  const metrics = { METRICS: 'true', METRICS_PORT: '0' };
  const options = { cwd: directory.path, env: { ...env, ...metrics, SMTP_URL: `smtp://127.0.0.1:${port}` } };

  const server = await startServer(options);
  expect((await send(`${server.url}/api/v1/auth/register`, { body: { email, password } })).status).toBe(201);
  await expect.poll(() => server.output.stdout).toContain('a job failed and will be tried again');
  expect(server.output.stdout).not.toContain('token=');
  await server.end('SIGKILL');

  await listening(port);
  const again = await startServer(options);
  try {
    const metricsUrl = /Metrics: (\S+)/.exec(again.output.stdout)?.[1] ?? '';
    const metricsText = async () => (await fetch(metricsUrl)).text();
    await expect.poll(metricsText).toContain('quoin_job_duration_seconds_count{job="send mail",outcome="done"} 1');
    expect(received).toEqual([email]);
  } finally {
    await again.end('SIGTERM');
    await new Promise<void>((resolve) => smtp.close(() => resolve()));
  }
});

const decodeQuotedPrintable = (text: string) =>
  text
    .replace(/=\r?\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
