import type { Database } from '@quoin/db';
import type { FastifyBaseLogger } from 'fastify';
import { maintainAuditTrail } from './audit-events/retention.ts';
import { createAuditEvents } from './audit-events/service.ts';
import { createAccessTokens } from './auth/access-token.ts';
import { createRefreshTokens } from './auth/refresh-token.ts';
import { createAuth } from './auth/service.ts';
import { createSessions } from './auth/session-service.ts';
import type { Config } from './config/config.ts';
import { createEmbedder } from './documents/embedder.ts';
import { createEmbeddingJob } from './documents/embedding-job.ts';
import { createDocuments } from './documents/service.ts';
import { deleteOldAnswers } from './http/idempotency.ts';
import { createLimiter } from './http/throttle/limiter.ts';
import type { ThrottleStore } from './http/throttle/memory-store.ts';
import { createMailDelivery } from './mail/delivery.ts';
import { createMessages } from './mail/messages.ts';
import { createOutbox } from './mail/outbox.ts';
import { createMailTransport, type Transport } from './mail/transport.ts';
import { createBreachCheck } from './passwords/breached-passwords.ts';
import { createPasswords, type HashCost } from './passwords/passwords.ts';
import { createPreferences } from './preferences/service.ts';
import { type AddJob, noJobs } from './process/jobs.ts';
import { createOneTimeTokens } from './recovery/one-time-tokens.ts';
import { createRecovery } from './recovery/service.ts';
import { createTasks } from './tasks/service.ts';
import { createAccountDeletion, deleteMarkedAccounts } from './users/account-deletion.ts';
import { createOwnAccount } from './users/own-account.ts';
import { createRegistration } from './users/registration.ts';
import { createUsers } from './users/service.ts';

export interface ServiceDependencies {
  config: Config;
  database: Database;
  /** The current time, for everything that expires. */
  clock?: (() => Date) | undefined;
  log: Pick<FastifyBaseLogger, 'info' | 'warn' | 'error'>;
  /** Undefined: no rate limits. */
  store?: ThrottleStore | undefined;
  /** How mail is sent; by default as configured. */
  transport?: Transport | undefined;
  addJob?: AddJob;
  /** Cost of a password hash; by default what OWASP recommends. */
  hashCost?: HashCost | undefined;
}

const cleanUpEveryMs = 10 * 60_000;

/** Creates all services. The application and the commands share it. */
export function createServices({
  config,
  database,
  clock = () => new Date(),
  log,
  store,
  transport = createMailTransport({ config, log }),
  addJob = noJobs,
  hashCost,
}: ServiceDependencies) {
  const limiter = createLimiter(store);
  const passwords = createPasswords(config, {
    hashCost,
    isBreached: createBreachCheck(config.passwordBreachUrl, log),
    warn: (err, message) => log.error({ err }, message),
  });
  const accessTokens = createAccessTokens(config, clock);
  const refreshTokens = createRefreshTokens(config.secretKey);
  const oneTimeTokens = createOneTimeTokens({ database, clock });
  addJob({ name: 'delete expired one-time tokens', everyMs: cleanUpEveryMs, run: oneTimeTokens.deleteExpired });

  const messages = createMessages(config.appUrl);
  const { issue: issueToken } = oneTimeTokens;
  const mail = createMailDelivery({ database, issueToken, messages, transport, clock, log });
  const wakeMail = addJob({ name: 'send mails', everyMs: 5_000, run: mail.deliver, countWaiting: mail.countWaiting });
  const outbox = createOutbox({ clock, limiter, wake: wakeMail });

  const embedder = config.embedding && createEmbedder(config.embedding);
  const embedding = embedder && createEmbeddingJob({ database, embedder, clock, log });
  const wakeEmbedding = embedding
    ? addJob({
        name: 'embed documents',
        everyMs: 10_000,
        run: () => embedding.embedWaiting(),
        countWaiting: () => database.system().documentEmbeddings.countWaiting(),
      })
    : () => {};

  const sessions = createSessions({ database, config, clock });
  addJob({ name: 'delete ended sessions', everyMs: cleanUpEveryMs, run: sessions.deleteEnded });

  addJob({ name: 'delete old answers', everyMs: cleanUpEveryMs, run: () => deleteOldAnswers(database, clock) });

  const wakeDeletion = addJob({
    name: 'delete accounts',
    everyMs: cleanUpEveryMs,
    run: () => deleteMarkedAccounts(database),
  });
  const accountDeletion = createAccountDeletion({ database, wake: wakeDeletion, clock });

  addJob({
    name: 'maintain the audit trail',
    everyMs: cleanUpEveryMs,
    run: () => maintainAuditTrail({ database, config, clock }),
  });

  return {
    accessTokens,
    auditEvents: createAuditEvents({ database }),
    auth: createAuth({ database, passwords, accessTokens, refreshTokens, config, limiter, clock }),
    documents: createDocuments({ database, embedder, wake: wakeEmbedding, clock }),
    embedding,
    mail,
    oneTimeTokens,
    passwords,
    preferences: createPreferences({ database }),
    recovery: createRecovery({ database, passwords, outbox, clock }),
    sessions,
    tasks: createTasks({ database }),
    registration: createRegistration({ database, passwords, outbox, clock }),
    ownAccount: createOwnAccount({ database, passwords, outbox, accountDeletion, limiter, clock }),
    users: createUsers({ database, passwords, outbox, accountDeletion, clock }),
    // Above this line `npm run new -- resource` adds its own.
  };
}

export type Services = ReturnType<typeof createServices>;
