import { once } from 'node:events';
import { createServer } from 'node:net';
import { colour, runCommand } from '@quoin/db/command';
import { type Config, readConfig } from '../config/config.ts';
import type { ProviderConfig } from '../config/providers.ts';
import { createEmbedder } from '../embeddings/embedder.ts';
import { createProvider } from '../identities/provider.ts';
import { explain } from '../process/explain.ts';
import { checkDatabase, isOurs } from './doctor-database.ts';
import { type Finding, note, ok, type RunCheck, wrong } from './finding.ts';

const usage = `Usage: npm run doctor

Checks what a start depends on (Node, configuration, port, database, pgvector, migrations, mail, Redis, embedding service,
sign-in providers) and says how to fix what is wrong.
For a PostgreSQL server it also reports missing indexes, dead rows, bloat, rows past their retention, connections, old transactions, standbys.
Changes nothing in the database, sends no mail, and embeds one word.
Exit codes: 0 no problem, 1 a problem, 2 wrong usage.

Example: DATABASE_URL=postgres://user:password@host/database npm run doctor
`;

const nodeMajorMin = 24;
const answerMsMax = 5_000;

async function main(): Promise<number> {
  let hasProblem = false;
  const report = (subject: string, { state, text }: Finding) => {
    hasProblem ||= state === 'wrong';
    const mark = { ok: colour('green', 'ok   '), note: colour('yellow', 'note '), wrong: colour('red', 'wrong') }[
      state
    ];
    process.stdout.write(`${mark}  ${subject.padEnd(14)} ${text.replaceAll('\n', `\n${' '.repeat(22)}`)}\n`);
  };
  const run: RunCheck = async (subject, check) => {
    report(subject, await check().catch((error) => wrong(explain(error) ?? error.message)));
  };

  report('Node', node());
  let config: Config;
  try {
    config = readConfig();
    report('configuration', ok(`${config.environment}, from the environment and .env`));
  } catch (error) {
    report('configuration', wrong((error as Error).message));
    return 1;
  }
  await run('port', () => port(config));
  await checkDatabase(config, run);
  await run('mail', () => mail(config));
  await run('Redis', () => redis(config));
  await run('embeddings', () => embeddings(config));
  for (const one of config.providers) await run(one.id, () => provider(config, one));
  return hasProblem ? 1 : 0;
}

function node(): Finding {
  const { version } = process;
  return Number.parseInt(version.slice(1), 10) >= nodeMajorMin
    ? ok(version)
    : wrong(`${version} is too old: npm ci installs Node ${nodeMajorMin} in the project, and npm run uses it`);
}

async function port({ host, port }: Config): Promise<Finding> {
  if (port === 0) return ok('any free port');
  const server = createServer().listen(port, host);
  try {
    await once(server, 'listening');
    return ok(`${port} is free`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE' && (await isOurs(port))) return note(`Quoin already runs on port ${port}`);
    throw Object.assign(error as Error, { port });
  } finally {
    server.close();
  }
}

async function mail({ smtpUrl, environment }: Config): Promise<Finding> {
  if (!smtpUrl) {
    const text = 'SMTP_URL is not set: mails are written to .data/outbox';
    return environment === 'production' ? wrong(`${text} and do not reach their recipients`) : note(text);
  }
  const { createTransport } = await import('nodemailer');
  const transport = createTransport({
    url: smtpUrl,
    connectionTimeout: answerMsMax,
    greetingTimeout: answerMsMax,
    socketTimeout: answerMsMax,
  });
  try {
    await transport.verify();
    return ok(`${new URL(smtpUrl).host} accepts the connection`);
  } catch (error) {
    return wrong(
      `SMTP_URL: ${(error as Error).message}\nhint: check host, port, user and password; smtps:// is TLS from the first byte (port 465), smtp:// is not`,
    );
  } finally {
    transport.close();
  }
}

async function redis({ redisUrl, workers }: Config): Promise<Finding> {
  if (!redisUrl)
    return workers > 1
      ? note('REDIS_URL is not set: each process has rate limits of its own')
      : ok('not used: rate limits are counted in memory');
  const { createClient } = await import('@redis/client');
  const client = createClient({ url: redisUrl, socket: { connectTimeout: answerMsMax, reconnectStrategy: false } });
  client.on('error', () => {}); // `connect` rejects as well.
  try {
    await client.connect();
    await client.ping();
    return ok(`${new URL(redisUrl).host} answers`);
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return wrong(
      `REDIS_URL: ${message || code}\nhint: start it, or correct the URL; until then, each process has rate limits of its own`,
    );
  } finally {
    if (client.isOpen) client.destroy();
  }
}

async function embeddings({ embedding }: Config): Promise<Finding> {
  if (!embedding) return ok('not used: EMBEDDING_URL is not set, so documents are searched by words');
  try {
    await createEmbedder(embedding).embed(['word'], { timeoutMs: answerMsMax, attemptsMax: 1 });
    return ok(`${embedding.model} at ${new URL(embedding.url).host}`);
  } catch (error) {
    return wrong(
      `EMBEDDING_URL: ${(error as Error).message}\nhint: check the URL, EMBEDDING_MODEL and EMBEDDING_API_KEY; documents wait until it answers`,
    );
  }
}

async function provider({ publicUrl, apiPrefix }: Config, one: ProviderConfig): Promise<Finding> {
  const callback = `${publicUrl || 'http://HOST:PORT'}${apiPrefix}/auth/providers/${one.id}/callback`;
  try {
    const attempt = { redirect_uri: callback, state: 'doctor', nonce: 'doctor', code_verifier: 'd'.repeat(43) };
    await createProvider(one, () => new Date()).authorizationUrl(attempt);
  } catch (error) {
    const { message } = ((error as Error).cause ?? error) as Error;
    return wrong(`${one.issuer}: ${message}\nhint: check the URL of the issuer, and whether this machine can reach it`);
  }
  const text = `${one.issuer}, with the callback ${callback}`;
  return publicUrl
    ? ok(text)
    : note(`${text}\nhint: set PUBLIC_URL, because the provider accepts a registered callback only`);
}

await runCommand({ usage, main });
