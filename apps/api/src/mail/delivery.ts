import type { Database, Mail, TokenPurpose } from '@quoin/db';
import type { createMessages, Message } from './messages.ts';
import type { Transport } from './transport.ts';

interface Dependencies {
  database: Database;
  /** Issues the token of a mail; undefined if no account needs one. */
  issueToken: (purpose: TokenPurpose, email: string) => Promise<{ token: string; userId: string } | undefined>;
  messages: ReturnType<typeof createMessages>;
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
export function createMailDelivery({ database, issueToken, messages, transport, clock, log }: Dependencies) {
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

  /** Resolves to undefined if there is nothing to send: no account has the address, or it is verified. */
  async function compose({ kind, recipient, created_at, attempts, ...mail }: Mail): Promise<Message | undefined> {
    const cause = { at: created_at, ipAddress: mail.ip_address };
    if (kind === 'password_changed' || kind === 'email_changed' || kind === 'username_changed')
      return messages[kind](cause);
    const issued = await issueToken(kind === 'set_password' ? 'reset_password' : kind, recipient);
    if (!issued) return undefined;
    if (kind === 'reset_password' && attempts === 1) await recordRequest(issued.userId, mail);
    return messages[kind](issued.token, cause);
  }

  /** Recorded here, and not by the request, which must cost the same whether the account exists or not. */
  function recordRequest(
    user_id: string,
    { user_agent, ip_address, request_id }: Omit<Mail, 'kind' | 'recipient' | 'created_at' | 'attempts'>,
  ) {
    const event = { action: 'password_reset_requested', user_id, user_agent, ip_address, request_id } as const;
    return database.system().auditEvents.create(event);
  }
}

/** A permanent negative reply (RFC 5321, 4.2.1): the mailbox does not exist. */
const isRefusedPermanently = (error: unknown) => {
  const { code, responseCode } = error as { code?: string; responseCode?: number };
  return code === 'EENVELOPE' && responseCode !== undefined && responseCode >= 500;
};

const secondsAfter = (time: Date, seconds: number) => new Date(time.getTime() + seconds * 1000);
