import type { AuditAction, Database, Mail, MailKind, TokenPurpose } from '@quoin/db';
import type { ComposeMail, MailSecret, Message } from './messages.ts';
import type { Transport } from './transport.ts';

interface Dependencies {
  database: Database;
  /** Issues the token of a mail; undefined if no account needs one. */
  issueToken: (purpose: TokenPurpose, email: string) => Promise<{ token: string; userId: string } | undefined>;
  /** Makes the code of a mail; undefined if no account waits for one. */
  issueCode: (email: string) => Promise<{ code: string; userId: string } | undefined>;
  composeMail: ComposeMail;
  transport: Transport;
  clock: () => Date;
  log: { warn: (fields: object, message: string) => void; error: (fields: object, message: string) => void };
}

const batchSize = 10;
/** While a process sends a mail, no other one does. If it dies, another process takes over after this time. */
const leaseSeconds = 300;
const retrySecondsMin = 5;
const retrySecondsMax = 900;

/**
 * Delivers the mails of the outbox at least once. A mail is deleted when the mail server has accepted it. If the process dies between the two, the mail is
 * sent again with the same Message-ID.
 */
export function createMailDelivery({
  database,
  issueToken,
  issueCode,
  composeMail,
  transport,
  clock,
  log,
}: Dependencies) {
  return {
    /** Delivers the due mails. Resolves to the number of mails sent. */
    deliver: async (): Promise<number> => {
      let sent = 0;
      for (let claimed = batchSize; claimed === batchSize; ) {
        const now = clock();
        const mails = await database.system().mails.claim(now, secondsAfter(now, leaseSeconds), batchSize);
        // In order for each recipient: a second token voids the first, so the mail that arrives last must contain the valid one.
        const byRecipient = Map.groupBy(
          mails.sort((one, other) => (one.id < other.id ? -1 : 1)),
          ({ recipient }) => recipient,
        );
        // Wait for all of them before passing on a database error.
        const results = await Promise.allSettled([...byRecipient.values()].map(sendInOrder));
        const failed = results.find(({ status }) => status === 'rejected');
        if (failed?.status === 'rejected') throw failed.reason;
        sent += results.reduce((sum, result) => sum + (result.status === 'fulfilled' ? result.value : 0), 0);
        claimed = mails.length;
      }
      return sent;
    },

    /** Resolves to the number of mails that wait, also for another attempt. */
    countWaiting: () => database.system().mails.count(),
  };

  /** Resolves to the number of mails sent. */
  async function sendInOrder(mails: Mail[]): Promise<number> {
    let sent = 0;
    for (const mail of mails) if (await send(mail)) sent += 1;
    return sent;
  }

  /** Resolves to whether the mail was sent. */
  async function send(mail: Mail): Promise<boolean> {
    const fields = { mail: mail.id, kind: mail.kind, attempts: mail.attempts };
    if (mail.expires_at <= clock()) {
      log.error(fields, 'dropped a mail that could not be sent before it expired');
      await database.system().mails.delete(mail.id);
      return false;
    }
    try {
      const message = await compose(mail);
      if (message) await transport({ id: mail.id, to: mail.recipient, ...message });
      await database.system().mails.delete(mail.id);
      return message !== undefined;
    } catch (error) {
      if (isRefusedPermanently(error)) {
        log.warn({ ...fields, err: error }, 'dropped a mail: the mail server refuses its recipient');
        await database.system().mails.delete(mail.id);
        return false;
      }
      const delay = Math.min(retrySecondsMin * 2 ** (mail.attempts - 1), retrySecondsMax);
      await database.system().mails.postpone(mail.id, secondsAfter(clock(), delay));
      log.warn({ ...fields, err: error }, 'could not send a mail; it will be tried again');
      return false;
    }
  }

  /** Resolves to undefined if there is nothing to send: no account needs the token or code. */
  async function compose({ kind, recipient, created_at, attempts, ...mail }: Mail): Promise<Message | undefined> {
    const secret = await secretOf(kind, recipient);
    if (!secret) return undefined;
    const requested = requests[kind];
    if (requested && secret.userId && attempts === 1) await recordRequest(requested, secret.userId, mail);
    const locale = await database.system().users.findLocale(recipient);
    return composeMail(kind, locale, { at: created_at, ipAddress: mail.ip_address }, secret.secret);
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
    { user_agent, ip_address, request_id }: Pick<Mail, 'user_agent' | 'ip_address' | 'request_id'>,
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

const secondsAfter = (time: Date, seconds: number) => new Date(time.getTime() + seconds * 1000);
