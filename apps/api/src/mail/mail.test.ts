import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrations } from '@quoin/db';
import { createTestDatabase, type TestDatabase } from '@quoin/db/testing';
import { SMTPServer } from 'smtp-server';
import { Type } from 'typebox';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { jobsIn, makeJobsDue } from '../../testing/jobs.ts';
import { expectProblem, password, startTestApp, testEnvironment, uniqueEmail } from '../../testing/test-app.ts';
import { parseConfig } from '../config/config.ts';
import { createLimiter } from '../http/throttle/limiter.ts';
import { createJobs } from '../queue/jobs.ts';
import { createRunner } from '../queue/runner.ts';
import { defineMailJob } from './delivery.ts';
import { defineMail } from './kind.ts';
import { emailChangedMail } from './kinds/email-changed.ts';
import { passwordChangedMail } from './kinds/password-changed.ts';
import { resetPasswordMail } from './kinds/reset-password.ts';
import { mailKinds } from './kinds.ts';
import { createMail } from './mail.ts';
import { createMessages } from './message.ts';
import { languages } from './phrases.ts';
import { createMailTransport, type Transport } from './transport.ts';

const quiet = { info: () => {}, warn: () => {}, error: () => {} };

let database: TestDatabase;
let now: Date;
const clock = () => now;
beforeAll(async () => {
  database = await createTestDatabase();
});
beforeEach(async () => {
  now = new Date();
  await database.inspect((connection) => connection.query('delete from pgboss.job'));
});
afterAll(() => database.close());

/** A process that sends mails. */
function startProcess(transport: Transport) {
  const jobs = createJobs();
  const mailJob = defineMailJob({
    database,
    jobs,
    kinds: mailKinds,
    issueSecret: async () => undefined,
    limiter: createLimiter(undefined),
    composeMail: createMessages('https://app.example.com/'),
    transport,
    clock,
    log: quiet,
  });
  const runner = createRunner({ database, jobs, log: quiet });
  return { mailJob, runner, deliver: () => runner.runDue() };
}

const { mailJob } = startProcess(async () => {});
const mail = createMail({ mailJob, clock });
const post = (recipient: string) => mail.send(database.system(), passwordChangedMail, recipient, {});
const waiting = () => jobsIn(database);

describe('the delivery of mails', () => {
  test('four processes send each mail once', async () => {
    const recipients = Array.from({ length: 45 }, uniqueEmail).sort();
    for (const recipient of recipients) await post(recipient);
    const sent: string[] = [];
    const processes = Array.from({ length: 4 }, () => startProcess(async ({ to }) => void sent.push(to)));
    await Promise.all(processes.map(({ deliver }) => deliver()));
    expect(sent.sort()).toEqual(recipients);
    expect(await waiting()).toEqual([]);
  });

  test('mails to one recipient are sent one after another', async () => {
    const recipient = uniqueEmail();
    for (let mail = 0; mail < 5; mail++) await post(recipient);
    const created = (await waiting()).map(({ id }) => id);
    const sent: string[] = [];
    let inFlight = 0;
    let inFlightMax = 0;
    const send: Transport = async ({ id }) => {
      inFlight += 1;
      inFlightMax = Math.max(inFlightMax, inFlight);
      await new Promise((resolve) => setImmediate(resolve));
      inFlight -= 1;
      sent.push(id);
    };
    const processes = [startProcess(send), startProcess(send)];
    while ((await waiting()).length > 0) await Promise.all(processes.map(({ deliver }) => deliver()));
    expect(sent.sort()).toEqual(created);
    expect(inFlightMax).toBe(1);
  });

  test('a mail that the server did not take is tried again, with the same id', async () => {
    await post(uniqueEmail());
    const attempts: string[] = [];
    const { deliver } = startProcess(async ({ id }) => {
      attempts.push(id);
      if (attempts.length < 3) throw new Error('connect ECONNREFUSED');
    });
    for (let attempt = 0; attempt < 4; attempt++) {
      await deliver();
      await makeJobsDue(database);
    }
    expect(attempts).toHaveLength(3);
    expect(new Set(attempts).size).toBe(1);
    expect(await waiting()).toEqual([]);
  });

  test('a recipient whose server hangs does not hold back the mails of others', async () => {
    const [slow, ...others] = Array.from({ length: 12 }, uniqueEmail) as [string, ...string[]];
    await post(slow);
    for (const recipient of others) await post(recipient);
    const sent: string[] = [];
    const { runner } = startProcess(async ({ to }) => (to === slow ? new Promise(() => {}) : void sent.push(to)));
    await runner.poll();
    await expect.poll(() => sent.length).toBe(11);
    await expect.poll(async () => (await waiting()).map(({ data }) => data?.recipient)).toEqual([slow]);
    await runner.stop(0);
    expect(await waiting()).toMatchObject([{ state: 'created' }]);
  });

  test('an expired mail is not sent', async () => {
    await post(uniqueEmail());
    now = new Date(now.getTime() + 4 * 86_400_000);
    const sent: unknown[] = [];
    await startProcess(async (mail) => void sent.push(mail)).deliver();
    expect(sent).toEqual([]);
    expect(await waiting()).toMatchObject([{ state: 'failed' }]);
  });
});

test('a mail that waited before the job queue replaced the table of mails is delivered', async () => {
  const old = await createTestDatabase({ isMigrated: false });
  try {
    await migrations.upgrade(old, { to: '0018' });
    const values = `gen_random_uuid(), 'password_changed', 'ada@example.com', '203.0.113.9', now() + interval '1 day'`;
    await old.execute(`insert into mails (id, kind, recipient, ip_address, expires_at) values (${values})`);
    await migrations.upgrade(old);
    const sent: string[] = [];
    const jobs = createJobs();
    defineMailJob({
      database: old,
      jobs,
      kinds: mailKinds,
      issueSecret: async () => undefined,
      limiter: createLimiter(undefined),
      composeMail: createMessages('https://app.example.com/'),
      transport: async ({ to, text }) => void sent.push(to, text),
      clock: () => new Date(),
      log: quiet,
    });
    await createRunner({ database: old, jobs, log: quiet }).runDue();
    expect(sent).toEqual(['ada@example.com', expect.stringContaining('203.0.113.9')]);
  } finally {
    await old.close();
  }
});

describe('with SMTP_URL', () => {
  const received: { from: string; to: string[]; source: string }[] = [];
  let server: SMTPServer;
  let url: string;
  let refusal: (Error & { responseCode?: number }) | undefined;

  beforeAll(async () => {
    server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      onRcptTo: (_address, _session, callback) => callback(refusal),
      onData: (stream, { envelope }, callback) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk) => chunks.push(chunk));
        stream.on('end', () => {
          received.push({
            from: envelope.mailFrom ? envelope.mailFrom.address : '',
            to: envelope.rcptTo.map(({ address }) => address),
            source: Buffer.concat(chunks).toString(),
          });
          callback();
        });
      },
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `smtp://127.0.0.1:${(server.server.address() as { port: number }).port}`;
  });
  beforeEach(() => {
    received.length = 0;
    refusal = undefined;
  });
  afterAll(() => new Promise<void>((resolve) => server.close(resolve)));

  const smtp = () =>
    createMailTransport({
      config: parseConfig(testEnvironment({ SMTP_URL: url, MAIL_FROM: 'Acme <mail@acme.example>' })),
      log: quiet,
    });

  test('SMTP: a mail arrives as plain text and HTML', async () => {
    const recipient = uniqueEmail();
    await post(recipient);
    await startProcess(smtp()).deliver();
    expect(received).toHaveLength(1);
    const [{ from, to, source }] = received as [(typeof received)[0]];
    expect(from).toBe('mail@acme.example');
    expect(to).toEqual([recipient]);
    expect(source).toContain('From: Acme <mail@acme.example>');
    expect(source).toContain('Subject: Your password was changed');
    expect(source).toMatch(/^Message-ID: <[0-9a-f-]{36}@acme\.example>/im);
    expect(source).toContain('Auto-Submitted: auto-generated');
    expect(source).toContain('text/plain');
    expect(source).toContain('text/html');
    expect(source).toContain('app.example.com');
  });

  test('SMTP: both bodies are quoted-printable ASCII and decode to the original', async () => {
    const link = `https://app.example.com/reset-password?token=${'a'.repeat(43)}`;
    await smtp()({
      id: 'x',
      to: uniqueEmail(),
      subject: 'Bäckerei',
      text: `Grüße 🧱\n${link}\n`,
      html: `<p>Grüße ${link}</p>`,
    });
    const source = received[0]?.source ?? '';
    expect(source).toMatch(/^[\r\n\x20-\x7e]*$/);
    expect(Math.max(...source.split('\r\n').map(({ length }) => length))).toBeLessThanOrEqual(78);
    expect(source.match(/^Content-Transfer-Encoding: quoted-printable\r$/gim)).toHaveLength(2);
    const decoded = decodeQuotedPrintable(source);
    expect(decoded).toContain(`Grüße 🧱\r\n${link}\r\n`);
    expect(decoded).toContain(`<p>Grüße ${link}</p>`);
  });

  test('SMTP: a mail is tried again after a temporary refusal, and not after a permanent one', async () => {
    await post(uniqueEmail());
    const { deliver } = startProcess(smtp());
    refusal = Object.assign(new Error('greylisted'), { responseCode: 451 });
    await deliver();
    expect(await waiting()).toMatchObject([{ state: 'retry' }]);
    await makeJobsDue(database);
    refusal = Object.assign(new Error('no such user'), { responseCode: 550 });
    await deliver();
    expect(await waiting()).toMatchObject([{ state: 'failed' }]);
    expect(received).toEqual([]);
  });

  test('SMTP: an unreachable server loses no mail', async () => {
    await post(uniqueEmail());
    const config = parseConfig(testEnvironment({ SMTP_URL: 'smtp://127.0.0.1:1' }));
    await startProcess(createMailTransport({ config, log: quiet })).deliver();
    expect(await waiting()).toMatchObject([{ state: 'retry' }]);
  });
});

describe('without SMTP_URL', () => {
  let directory: string;
  const before = process.cwd();
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'quoin-mail-'));
    process.chdir(directory);
  });
  afterAll(async () => {
    process.chdir(before);
    await rm(directory, { recursive: true });
  });

  test('without SMTP_URL a mail is a private file, and its link is logged in development only', async () => {
    const mail = {
      id: 'the-id',
      to: 'ada@example.com',
      subject: 's',
      text: 't',
      html: 'h',
      link: 'https://a/?token=1',
    };
    for (const environment of ['development', 'test'] as const) {
      const log: object[] = [];
      const config = { ...parseConfig(testEnvironment()), environment };
      const write = createMailTransport({ config, log: { info: (fields) => void log.push(fields) } });
      await write(mail);
      expect(await readdir('.data/outbox')).toEqual(['the-id.eml']);
      expect(await readFile('.data/outbox/the-id.eml', 'utf8')).toContain('To: ada@example.com');
      expect(JSON.stringify(log).includes('token=1')).toBe(environment === 'development');
    }
  });
});

describe('what is mailed', () => {
  const compose = createMessages('https://app.example.com/base/');
  const cause = { at: new Date('2026-11-21T10:00:00Z'), ipAddress: '203.0.113.9' };

  test('the links of mails lead to APP_URL', () => {
    const message = compose(resetPasswordMail, 'en', cause, { data: {}, secret: { token: 'the-token' } });
    expect(message.link).toBe('https://app.example.com/base/reset-password?token=the-token');
    expect(message.text).toContain(`\n\n${message.link}\n\n`);
    expect(message.html).toContain(`href="${message.link}"`);
    expect(message.text).toContain('203.0.113.9');
  });

  test('notices contain the time and the address', () => {
    expect(compose(emailChangedMail, 'en', cause, { data: {} }).text).toContain(
      'on 2026-11-21 10:00 UTC from 203.0.113.9',
    );
  });
});

describe('the kinds of mail', () => {
  const compose = createMessages('https://app.example.com/');
  const cause = { at: new Date('2026-11-21T10:00:00Z'), ipAddress: '203.0.113.9' };

  test('every file in kinds/ is registered under its own name', async () => {
    const files = await readdir(new URL('kinds/', import.meta.url));
    const names = files.map((file) => file.replace('.ts', '').replaceAll('-', '_'));
    expect(mailKinds.map(({ name }) => name).sort()).toEqual(names.sort());
  });

  test.each(mailKinds.flatMap((kind) => languages.map((language) => [kind.name, language, kind] as const)))(
    'the mail %s has a subject, a text and HTML in %s',
    (_, language, kind) => {
      const secret = { token: 'the-token', code: '123456' };
      const message = compose(kind, language, cause, { data: kind.example, secret });
      for (const text of [message.subject, message.text, message.html]) expect(text).not.toMatch(/undefined|\[object/);
      expect(message.html).toContain(`<html lang="${language}">`);
      if (kind.page) expect(message.link).toContain(`/${kind.page}?`);
      if (kind.secret === 'sign_in_code') expect(message.text).toContain('123456');
    },
  );

  test('text of the data is escaped in HTML', () => {
    const kind = defineMail({
      name: 'greeting',
      lifetimeSeconds: 60,
      data: Type.Object({ name: Type.String() }),
      example: { name: 'Ada' },
      texts: {
        en: ({ data }) => [`Hello ${data.name}`, data.name],
        de: ({ data }) => [`Hallo ${data.name}`, data.name],
      },
    });
    const { html } = compose(kind as never, 'en', cause, { data: { name: '<script>' } });
    expect(html).not.toContain('<script>');
    expect(html).toContain('&#60;script&#62;');
  });
});

describe('/dev/mails', () => {
  const start = (environment: string) =>
    startTestApp({
      NODE_ENV: environment,
      SECRET_KEY: '5f0c3c9e2b7a48d6a1e4f7089b3d2c61aa47',
      APP_URL: 'https://app.example.com',
    });

  test('in development, /dev/mails shows every mail', async () => {
    const api = await start('development');
    try {
      const index = await api.app.inject('/dev/mails');
      const paths = [...index.body.matchAll(/href="(\/dev\/mails\/[^"]+)"/g)].map(([, path = '']) => path);
      expect(paths).toHaveLength(mailKinds.length * languages.length);
      for (const path of paths) {
        const page = await api.app.inject(path);
        expect([path, page.statusCode, page.headers['content-type']]).toEqual([path, 200, 'text/html; charset=utf-8']);
        expect((await api.app.inject(path.replace(/html$/, 'text'))).headers['content-type']).toContain('text/plain');
      }
      expect((await api.app.inject('/dev/mails/no_such_mail/en/html')).statusCode).toBe(404);
    } finally {
      await api.close();
    }
  });

  test('elsewhere /dev/mails does not exist', async () => {
    const api = await start('test');
    try {
      expect((await api.app.inject('/dev/mails')).statusCode).toBe(404);
    } finally {
      await api.close();
    }
  });
});

test('mails contain no text that a user chose, and a failed registration sends none', async () => {
  const api = await startTestApp();
  try {
    const account = await api.register({ full_name: 'Click https://evil.example', username: 'evil.example' });
    const taken = await api.send('POST', '/auth/register', { body: { email: account.email, password } });
    expectProblem(taken, 409, 'email_taken');
    const mails = await api.mailsTo(account.email);
    expect(mails.map(({ subject }) => subject)).toEqual(['Verify your email address']);
    expect(JSON.stringify(mails)).not.toContain('evil');
  } finally {
    await api.close();
  }
});

function decodeQuotedPrintable(text: string): string {
  const bytes = text
    .replaceAll('=\r\n', '')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
