import type { Database, Mail } from '@quoin/db';
import type { Client } from '../http/client.ts';
import type { OneTimeTokens } from '../recovery/one-time-tokens.ts';
import type { createMessages, Message } from './messages.ts';
import type { Transport } from './transport.ts';

interface Dependencies {
  database: Database;
  oneTimeTokens: OneTimeTokens;
  messages: ReturnType<typeof createMessages>;
  transport: Transport;
  clock: () => Date;
  log: { warn: (fields: object, message: string) => void; error: (fields: object, message: string) => void };
}

const atOnce = 10;
/** While one process sends a mail, no other one touches it; if that process dies, another takes over after this. */
const leaseSeconds = 300;
const retrySecondsMin = 5;
const retrySecondsMax = 900;

/**
 * Sends what the outbox holds. A mail is deleted when the server has taken it, so none is lost; one whose server accepted it in the very
 * moment that this process died is sent once more, under the same Message-ID.
 */
export function createMailDelivery({ database, oneTimeTokens, messages, transport, clock, log }: Dependencies) {
  return {
    /** Sends what is due. Resolves to how many mails were sent. */
    deliver: async (): Promise<number> => {
      let sent = 0;
      for (let claimed = atOnce; claimed === atOnce; ) {
        const now = clock();
        const mails = await database.system((repositories) =>
          repositories.mails.claim(now, secondsAfter(now, leaseSeconds), atOnce),
        );
        // In order for each recipient: a second token voids the first, so the mail that arrives last must hold the valid one.
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
  };

  /** Resolves to how many were sent. */
  async function sendInOrder(mails: Mail[]): Promise<number> {
    let sent = 0;
    for (const mail of mails) if (await send(mail)) sent += 1;
    return sent;
  }

  /** Resolves to whether it was sent. */
  async function send(mail: Mail): Promise<boolean> {
    const about = { mail: mail.id, kind: mail.kind, attempts: mail.attempts };
    if (mail.expires_at <= clock()) {
      log.error(about, 'a mail was given up: it could not be sent while it was of use');
      await remove(mail);
      return false;
    }
    try {
      const message = await compose(mail);
      if (message) await transport({ id: mail.id, to: mail.recipient, ...message });
      await remove(mail);
      return message !== undefined;
    } catch (error) {
      if (isRefusedForGood(error)) {
        log.warn({ ...about, err: error }, 'a mail was given up: its address is refused');
        await remove(mail);
        return false;
      }
      const delay = Math.min(retrySecondsMin * 2 ** (mail.attempts - 1), retrySecondsMax);
      await database.system(({ mails }) => mails.postpone(mail.id, secondsAfter(clock(), delay)));
      log.warn({ ...about, err: error }, 'a mail could not be sent, and will be tried again');
      return false;
    }
  }

  /** Undefined where there is nothing to say: nobody has this address, or it is verified already. */
  async function compose({ kind, recipient, created_at, attempts, ...mail }: Mail): Promise<Message | undefined> {
    const cause = { at: created_at, ipAddress: mail.ip_address };
    if (kind === 'password_changed' || kind === 'email_changed' || kind === 'username_changed')
      return messages[kind](cause);
    const issued = await oneTimeTokens.issue(kind === 'set_password' ? 'reset_password' : kind, recipient);
    if (!issued) return undefined;
    if (kind === 'reset_password' && attempts === 1) await recordRequest(issued.userId, mail);
    return messages[kind](issued.token, cause);
  }

  /** Here and not where it was asked for, where an account and none must cost the same. */
  function recordRequest(userId: string, { user_agent, ip_address, request_id }: Omit<Client, 'client_request_id'>) {
    return database.system(({ auditEvents }) =>
      auditEvents.create({ action: 'password_reset_requested', user_id: userId, user_agent, ip_address, request_id }),
    );
  }

  function remove({ id }: Mail) {
    return database.system(({ mails }) => mails.delete(id));
  }
}

/** The server knows no such mailbox, and says that it never will (RFC 5321, 4.2.1: 5yz). */
const isRefusedForGood = (error: unknown) => {
  const { code, responseCode } = error as { code?: string; responseCode?: number };
  return code === 'EENVELOPE' && responseCode !== undefined && responseCode >= 500;
};

const secondsAfter = (moment: Date, seconds: number) => new Date(moment.getTime() + seconds * 1000);
