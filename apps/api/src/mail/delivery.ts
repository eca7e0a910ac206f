import type { Database } from '@quoin/db';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import type { Limiter } from '../http/throttle/limiter.ts';
import type { Rate } from '../http/throttle/memory-store.ts';
import { type JobKind, PermanentFailure, type RunningJob } from '../queue/job.ts';
import type { Jobs } from '../queue/jobs.ts';
import type { MailKind, MailSecretKind } from './kind.ts';
import type { ComposeMail, MailSecret } from './message.ts';
import type { Transport } from './transport.ts';

interface Dependencies {
  database: Database;
  jobs: Pick<Jobs, 'define'>;
  kinds: readonly MailKind[];
  /** Issues the token or code of a mail. Resolves to undefined if no account waits for it. */
  issueSecret: (
    kind: MailSecretKind,
    recipient: string,
    data: Record<string, unknown>,
  ) => Promise<(MailSecret & { userId: string }) | undefined>;
  limiter: Limiter;
  composeMail: ComposeMail;
  transport: Transport;
  clock: () => Date;
  log: { warn: (fields: object, message: string) => void };
}

const nullableText = Type.Union([Type.String(), Type.Null()]);

/** A mail to send. It contains no secret: that is issued when the mail is sent. */
export const MailJob = Type.Object({
  kind: Type.String(),
  recipient: Type.String(),
  data: Type.Record(Type.String(), Type.Unknown()),
  caused_at: Type.String(),
  /** After this time the mail is useless and is not sent. */
  expires_at: Type.String(),
  user_agent: nullableText,
  ip_address: nullableText,
  request_id: nullableText,
});
export type MailJob = Static<typeof MailJob>;

/** Mails per mailbox. The second bucket leaves room for notices, which tell the owner of an account that it changed. */
const perMailbox: Rate = { burst: 20, perMinute: 0.5 };
const requestedPerMailbox: Rate = { burst: 12, perMinute: 0.2 };

/**
 * Defines the job that delivers mails, at least once. The job ends when the mail server has accepted the mail. If the process dies between the two, the mail is sent
 * again with the same Message-ID.
 *
 * A mail is dropped if its mailbox has had too many, because an attacker could flood a stranger with them.
 */
export function defineMailJob({
  database,
  jobs,
  kinds,
  issueSecret,
  limiter,
  composeMail,
  transport,
  clock,
  log,
}: Dependencies): JobKind<MailJob> {
  const kindsByName = new Map(kinds.map((kind) => [kind.name, kind]));
  return jobs.define({
    name: 'send mail',
    data: MailJob,
    priority: 100,
    concurrency: 4,
    batchSize: 5,
    // A server that takes a minute for a mail would hold up the others.
    timeoutSeconds: 60,
    // One mail at a time to each recipient: a second token voids the first, so the mail that arrives last must contain the valid one.
    isSerialized: true,
    attemptsMax: 1_000,
    retrySeconds: 5,
    retrySecondsMax: 900,
    run: send,
  });

  async function send({ id, data: mail, attempt, signal }: RunningJob<MailJob>): Promise<void> {
    const { kind: name, recipient, data } = mail;
    const kind = kindsByName.get(name);
    if (!kind) throw new PermanentFailure(`no mail has the name ${name}`);
    if (!Value.Check(kind.data, data))
      throw new PermanentFailure(`the data of the mail ${name} does not match its schema`);
    if (new Date(mail.expires_at) <= clock())
      throw new PermanentFailure('the mail could not be sent before it expired');
    if (attempt === 1 && !(await limiter.allows(bucketsOf(kind, recipient))))
      return log.warn({ mail: id, kind: name }, 'dropped a mail, because its mailbox has had too many');

    const secret = kind.secret ? await issueSecret(kind.secret, recipient, data) : undefined;
    // No account waits for it.
    if (kind.secret && !secret) return;
    if (secret && kind.requestEvent && attempt === 1)
      await database.system().auditEvents.create({
        action: kind.requestEvent,
        user_id: secret.userId,
        user_agent: mail.user_agent,
        ip_address: mail.ip_address,
        request_id: mail.request_id,
      });
    const locale = await database.system().users.findLocale(recipient);
    const cause = { at: new Date(mail.caused_at), ipAddress: mail.ip_address };
    const message = composeMail(kind, locale, cause, { data, ...(secret && { secret: secretOnly(secret) }) });
    await transport({ id, to: recipient, ...message }, signal).catch((cause) => {
      if (!isRefusedPermanently(cause)) throw cause;
      throw new PermanentFailure('the mail server refuses the recipient', { cause });
    });
  }
}

const secretOnly = ({ userId: _, ...secret }: MailSecret & { userId: string }): MailSecret => secret;

function bucketsOf({ isRequested }: MailKind, recipient: string) {
  // Most mail systems deliver `name+tag@example.com` to `name@example.com`.
  const key = recipient.replace(/\+[^@]*@/, '@');
  const buckets = [{ name: 'mail', key, rate: perMailbox }];
  if (isRequested) buckets.push({ name: 'requested mail', key, rate: requestedPerMailbox });
  return buckets;
}

/** A permanent negative reply (RFC 5321, 4.2.1): the mailbox does not exist. */
const isRefusedPermanently = (error: unknown) => {
  const { command, responseCode } = error as { command?: string; responseCode?: number };
  return command === 'RCPT TO' && responseCode !== undefined && responseCode >= 500;
};
