import type { AuditAction, Database, MailKind, TokenPurpose } from '@quoin/db';
import { type Static, Type } from 'typebox';
import { forEach, type JobKind, PermanentFailure, type RunningJob } from '../queue/job.ts';
import type { Jobs } from '../queue/jobs.ts';
import type { ComposeMail, MailSecret, Message } from './messages.ts';
import type { Transport } from './transport.ts';

interface Dependencies {
  database: Database;
  jobs: Pick<Jobs, 'define'>;
  /** Issues the token of a mail; undefined if no account needs one. */
  issueToken: (purpose: TokenPurpose, email: string) => Promise<{ token: string; userId: string } | undefined>;
  /** Makes the code of a mail; undefined if no account waits for one. */
  issueCode: (email: string) => Promise<{ code: string; userId: string } | undefined>;
  composeMail: ComposeMail;
  transport: Transport;
  clock: () => Date;
}

const nullableText = Type.Union([Type.String(), Type.Null()]);

/** A mail to send. It contains no token: that is issued when the mail is sent. */
export const MailJob = Type.Object({
  kind: Type.Unsafe<MailKind>(Type.String()),
  recipient: Type.String(),
  caused_at: Type.String(),
  /** After this time the mail is useless and is not sent. */
  expires_at: Type.String(),
  user_agent: nullableText,
  ip_address: nullableText,
  request_id: nullableText,
});
export type MailJob = Static<typeof MailJob>;

/**
 * Defines the job that delivers mails, at least once. The job ends when the mail server has accepted the mail. If the process dies between the two, the mail is sent
 * again with the same Message-ID.
 */
export function createMailDelivery({
  database,
  jobs,
  issueToken,
  issueCode,
  composeMail,
  transport,
  clock,
}: Dependencies): JobKind<MailJob> {
  return jobs.define({
    name: 'send mail',
    data: MailJob,
    priority: 100,
    concurrency: 10,
    // One mail at a time to each recipient: a second token voids the first, so the mail that arrives last must contain the valid one.
    isOneAtATime: true,
    attemptsMax: 1_000,
    retrySeconds: 5,
    retrySecondsMax: 900,
    run: forEach(send),
  });

  async function send({ id, data, attempt }: RunningJob<MailJob>): Promise<void> {
    if (new Date(data.expires_at) <= clock())
      throw new PermanentFailure('the mail could not be sent before it expired');
    const message = await compose(data, attempt);
    if (!message) return;
    await transport({ id, to: data.recipient, ...message }).catch((cause) => {
      if (!isRefusedPermanently(cause)) throw cause;
      throw new PermanentFailure('the mail server refuses the recipient', { cause });
    });
  }

  /** Resolves to undefined if there is nothing to send: no account needs the token or code. */
  async function compose({ kind, recipient, ...mail }: MailJob, attempt: number): Promise<Message | undefined> {
    const secret = await secretOf(kind, recipient);
    if (!secret) return undefined;
    const requested = requests[kind];
    if (requested && secret.userId && attempt === 1) await recordRequest(requested, secret.userId, mail);
    const locale = await database.system().users.findLocale(recipient);
    return composeMail(kind, locale, { at: new Date(mail.caused_at), ipAddress: mail.ip_address }, secret.secret);
  }

  /** Resolves to undefined if the mail needs a token or code, and no account needs it. */
  async function secretOf(
    kind: MailKind,
    recipient: string,
  ): Promise<{ secret: MailSecret; userId?: string } | undefined> {
    const purpose = tokenPurposes[kind];
    if (purpose) {
      const issued = await issueToken(purpose, recipient);
      return issued && { secret: { token: issued.token }, userId: issued.userId };
    }
    if (kind !== 'sign_in_code') return { secret: {} };
    const issued = await issueCode(recipient);
    return issued && { secret: { code: issued.code }, userId: issued.userId };
  }

  /** Recorded here, and not by the request, which must cost the same whether the account exists or not. */
  function recordRequest(
    action: AuditAction,
    user_id: string,
    { user_agent, ip_address, request_id }: Pick<MailJob, 'user_agent' | 'ip_address' | 'request_id'>,
  ) {
    return database.system().auditEvents.create({ action, user_id, user_agent, ip_address, request_id });
  }
}

const tokenPurposes: Partial<Record<MailKind, TokenPurpose>> = {
  reset_password: 'reset_password',
  set_password: 'reset_password',
  verify_email: 'verify_email',
};

/** Mails that anyone can request, with the event of the account that gets one. */
const requests: Partial<Record<MailKind, AuditAction>> = {
  reset_password: 'password_reset_requested',
  sign_in_code: 'email_code_requested',
};

/** A permanent negative reply (RFC 5321, 4.2.1): the mailbox does not exist. */
const isRefusedPermanently = (error: unknown) => {
  const { code, responseCode } = error as { code?: string; responseCode?: number };
  return code === 'EENVELOPE' && responseCode !== undefined && responseCode >= 500;
};
