import { isIP } from 'node:net';
import type { Database } from '@quoin/db';
import type { FastifyBaseLogger } from 'fastify';
import { createApiKeyExpiry } from './api-keys/expiry.ts';
import { createApiKeys } from './api-keys/service.ts';
import { maintainAuditTrail } from './audit-events/retention.ts';
import { createAuditEvents } from './audit-events/service.ts';
import { createAccessTokens } from './auth/access-token.ts';
import { createBeginSession } from './auth/begin-session.ts';
import { deleteExpiredChallenges } from './auth/challenges.ts';
import { createChangeFactors } from './auth/change-factors.ts';
import { createSessionCookie } from './auth/cookie.ts';
import type { FactorChecks } from './auth/factors.ts';
import { createFingerprint, forgetUnusedClients } from './auth/known-client.ts';
import { createMfa } from './auth/mfa.ts';
import { createRefreshTokens } from './auth/refresh-token.ts';
import { createAuth } from './auth/service.ts';
import { createSessions } from './auth/session-service.ts';
import { createSignInAnswer } from './auth/sign-in-answer.ts';
import { createRequireSignInMethod } from './auth/sign-in-method.ts';
import { createStepUp } from './auth/step-up.ts';
import type { Config } from './config/config.ts';
import { createSealed } from './config/sealed.ts';
import { defineEmbeddingJob } from './documents/embedding-job.ts';
import { createDocuments } from './documents/service.ts';
import { createEmailCodes } from './email-codes/service.ts';
import { createEmbedder } from './embeddings/embedder.ts';
import { createExports } from './exports/service.ts';
import { createFactors } from './factors/service.ts';
import { createTotp } from './factors/totp.ts';
import { deleteOldAnswers } from './http/idempotency.ts';
import { createOutbound } from './http/outbound.ts';
import { createLimiter } from './http/throttle/limiter.ts';
import type { ThrottleStore } from './http/throttle/memory-store.ts';
import { createResolveAccount } from './identities/account.ts';
import { createIdentities } from './identities/service.ts';
import { deleteOldWebhooks } from './incoming-webhooks/incoming.ts';
import { createJobAdministration } from './jobs/service.ts';
import { defineMailJob } from './mail/delivery.ts';
import { mailKinds } from './mail/kinds.ts';
import { createMail } from './mail/mail.ts';
import { createMessages } from './mail/message.ts';
import { createMailTransport, type Transport } from './mail/transport.ts';
import { createOrganizationDeletion } from './organizations/deletion.ts';
import { createInvitations } from './organizations/invitation-service.ts';
import { createMembers } from './organizations/member-service.ts';
import { createOrganizations } from './organizations/service.ts';
import { createPasskeys } from './passkeys/service.ts';
import { createWebauthn } from './passkeys/webauthn.ts';
import { createBreachCheck } from './passwords/breached-passwords.ts';
import { createPasswords, type HashCost } from './passwords/passwords.ts';
import { createPreferences } from './preferences/service.ts';
import { registeredJobs } from './product/jobs.ts';
import { registeredServices } from './product/services.ts';
import { createJobs } from './queue/jobs.ts';
import { createOneTimeTokens } from './recovery/one-time-tokens.ts';
import { createRecovery } from './recovery/service.ts';
import { createTasks } from './tasks/service.ts';
import { createAccountDeletion } from './users/account-deletion.ts';
import { createOwnAccount } from './users/own-account.ts';
import { createRegistration } from './users/registration.ts';
import { createUsers } from './users/service.ts';
import { defineWebhookJobs } from './webhooks/delivery.ts';
import { createWebhooks } from './webhooks/service.ts';

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
  /** Returns the trace that the caller is part of. */
  traceContext?: (() => object | undefined) | undefined;
  /** Cost of a password hash; by default what OWASP recommends. */
  hashCost?: HashCost | undefined;
}

/** Together, so that an idle database wakes once an hour. */
const hourly = { cron: '17 * * * *' };

/** Creates all services. The application and the commands share it. */
export function createServices({
  config,
  database,
  clock = () => new Date(),
  log,
  store,
  transport = createMailTransport({ config, log }),
  traceContext,
  hashCost,
}: ServiceDependencies) {
  const limiter = createLimiter(store);
  const jobs = createJobs({ traceContext });
  const passwords = createPasswords(config, {
    hashCost,
    isBreached: createBreachCheck(config.passwordBreachUrl, log),
    warn: (err, message) => log.error({ err }, message),
  });
  const accessTokens = createAccessTokens(config, clock);
  const refreshTokens = createRefreshTokens(config.secretKey);
  const oneTimeTokens = createOneTimeTokens({ database, clock });
  jobs.schedule('delete expired tokens', hourly, oneTimeTokens.deleteExpired);

  const composeMail = createMessages(config.appUrl);
  const mailJob = defineMailJob({
    database,
    jobs,
    kinds: mailKinds,
    issueSecret: (kind, recipient, data) => {
      if (kind === 'sign_in_code') return emailCodes.issue(recipient, String(data.challenge));
      return kind === 'invitation' ? invitations.issue(recipient, data) : oneTimeTokens.issue(kind, recipient);
    },
    limiter,
    composeMail,
    transport,
    clock,
    log,
  });
  const mail = createMail({ mailJob, clock });

  const fingerprintOf = createFingerprint(config.secretKey);
  const beginSession = createBeginSession({ database, config, mail, limiter, fingerprintOf, clock });
  const emailCodes = createEmailCodes({ database, config, beginSession, mail, limiter, clock });
  const sealed = createSealed(config.secretKey, config.previousSecretKeys);
  const totp = createTotp({ database, sealed, config, clock });
  const changeFactors = createChangeFactors({ database, mail, clock });
  const requireSignInMethod = createRequireSignInMethod(config);
  const factors = createFactors({ database, totp, changeFactors, mail, limiter, clock });
  const webauthn = createWebauthn({ database, config, clock });
  const factorChecks: FactorChecks = {
    code: totp.check,
    recoveryCode: factors.checkRecoveryCode,
    credential: async (credential) => (await webauthn.checkSignIn(credential)).passkey,
  };
  const cookieValues = createRefreshTokens(config.secretKey, 'session cookie');
  const sessionCookie = createSessionCookie({ cookieValues, config, clock });
  jobs.schedule('delete expired challenges', hourly, () => deleteExpiredChallenges(database, clock));
  jobs.schedule('forget unused clients', hourly, () => forgetUnusedClients(database, clock));

  const apiKeyExpiry = createApiKeyExpiry({ database, mail, clock });
  jobs.schedule('warn of expiring API keys', hourly, apiKeyExpiry.warn);
  jobs.schedule('delete expired API keys', hourly, apiKeyExpiry.deleteExpired);

  const embedder = config.embedding && createEmbedder(config.embedding);
  const embeddingJob = embedder && defineEmbeddingJob(jobs, { database, embedder });

  const sessions = createSessions({ database, config, clock });
  jobs.schedule('delete ended sessions', hourly, sessions.deleteEnded);
  jobs.schedule('delete old answers', hourly, () => deleteOldAnswers(database, clock));

  const organizationDeletion = createOrganizationDeletion({ database, jobs, clock });
  jobs.schedule('find overdue deletions of organizations', hourly, organizationDeletion.enqueueOverdue);
  const invitations = createInvitations({ database, mail, clock });
  jobs.schedule('delete expired invitations', hourly, invitations.deleteExpired);

  const accountDeletion = createAccountDeletion({ database, jobs, organizationDeletion, mail, clock });
  jobs.schedule('find overdue deletions', hourly, accountDeletion.enqueueOverdue);
  const exports = createExports({ database, jobs, mail, clock });
  jobs.schedule('delete expired exports', hourly, exports.deleteExpired);
  const publishWebhook = defineWebhookJobs({
    database,
    jobs,
    sealed,
    outbound: createOutbound({ allowsPrivate: config.allowsPrivateWebhooks }),
    mail,
    clock,
  });
  jobs.schedule('delete old webhooks', hourly, () => deleteOldWebhooks(database, clock));
  jobs.schedule('maintain the audit trail', hourly, () => maintainAuditTrail({ database, config, clock }));

  const productDependencies = { database, config, clock, jobs, embedder, log, mail, publishWebhook };
  const jobKinds = createAll(registeredJobs, productDependencies);

  return {
    accessTokens,
    apiKeyExpiry,
    apiKeys: createApiKeys({ database, mail, clock }),
    auditEvents: createAuditEvents({ database }),
    beginSession,
    /** Closes the connections to the mail server. */
    closeMail: () => transport.close?.(),
    composeMail,
    auth: createAuth({ database, passwords, accessTokens, refreshTokens, config, beginSession, limiter, clock }),
    documents: createDocuments({ database, embedder, embeddingJob }),
    emailCodes,
    exports,
    accountDeletion,
    factors,
    // WebAuthn has no passkeys for IP addresses.
    hasPasskeys: isIP(config.webauthnRpId) === 0,
    invitations,
    jobs,
    jobKinds,
    jobAdministration: createJobAdministration({ database }),
    members: createMembers({ database }),
    organizationDeletion,
    organizations: createOrganizations({ database, organizationDeletion, clock }),
    identities: createIdentities({
      database,
      config,
      beginSession,
      changeFactors,
      requireSignInMethod,
      resolveAccount: createResolveAccount({ database, mail, clock }),
      clock,
      log,
    }),
    mfa: createMfa({ database, beginSession, limiter, factorChecks, mail, clock }),
    oneTimeTokens,
    passkeys: createPasskeys({ database, webauthn, beginSession, changeFactors, requireSignInMethod, clock }),
    passwords,
    preferences: createPreferences({ database }),
    recovery: createRecovery({ database, passwords, mail, clock }),
    sessionCookie,
    sessions,
    signInAnswer: createSignInAnswer({ accessTokens, refreshTokens, sessionCookie }),
    stepUp: createStepUp({ database, passwords, limiter, factorChecks, clock }),
    tasks: createTasks({ database }),
    registration: createRegistration({ database, passwords, mail, clock }),
    ownAccount: createOwnAccount({ database, passwords, mail, accountDeletion, limiter, clock }),
    users: createUsers({ database, passwords, mail, accountDeletion, clock }),
    webhooks: createWebhooks({ database, config, sealed, publish: publishWebhook, clock }),
    /** For features whose events users may subscribe to. */
    publishWebhook,
    product: createAll(registeredServices, { ...productDependencies, jobKinds }),
  };
}

export type Services = ReturnType<typeof createServices>;

type Created<Factories extends Record<string, (dependencies: never) => unknown>> = {
  readonly [Name in keyof Factories]: ReturnType<Factories[Name]>;
};

function createAll<Dependencies, Factories extends Record<string, (dependencies: Dependencies) => unknown>>(
  factories: Factories,
  dependencies: Dependencies,
) {
  const entries = Object.entries(factories).map(([name, create]) => [name, create(dependencies)]);
  return Object.fromEntries(entries) as Created<Factories>;
}
