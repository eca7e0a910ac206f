import type { MailKind, OwnerRepositories } from '@quoin/db';
import type { Client } from '../http/client.ts';
import type { Limiter } from '../http/throttle/limiter.ts';
import type { Rate } from '../http/throttle/memory-store.ts';
import type { JobKind } from '../queue/job.ts';
import type { MailJob } from './delivery.ts';

/** How long each kind of mail is worth sending. */
const lifetimeSeconds: Record<MailKind, number> = {
  reset_password: 3_600,
  set_password: 3_600,
  verify_email: 86_400,
  password_changed: 3 * 86_400,
  email_changed: 3 * 86_400,
  username_changed: 3 * 86_400,
  sign_in_code: 600,
  new_sign_in: 3 * 86_400,
  totp_added: 3 * 86_400,
  totp_removed: 3 * 86_400,
  recovery_codes_replaced: 3 * 86_400,
  passkey_added: 3 * 86_400,
  passkey_removed: 3 * 86_400,
  factors_removed: 3 * 86_400,
  identity_linked: 3 * 86_400,
  identity_unlinked: 3 * 86_400,
  api_key_created: 3 * 86_400,
  api_key_leaked: 3 * 86_400,
  api_key_expires: 3 * 86_400,
};

/** Mails per recipient. The second bucket leaves room for notices, which tell the owner of an account that it changed. */
const perRecipient: Rate = { burst: 20, perMinute: 0.5 };
const requestedPerRecipient: Rate = { burst: 12, perMinute: 0.2 };
const requested: readonly MailKind[] = ['reset_password', 'set_password', 'verify_email', 'sign_in_code'];

/** Most mail systems deliver `name+tag@example.com` to `name@example.com`. */
const mailboxOf = (recipient: string) => recipient.replace(/\+[^@]*@/, '@');

function bucketsOf(kind: MailKind, recipient: string) {
  const key = mailboxOf(recipient);
  const buckets = [{ name: 'mail', key, rate: perRecipient }];
  if (requested.includes(kind)) buckets.push({ name: 'requested mail', key, rate: requestedPerRecipient });
  return buckets;
}

/** Allows or denies a mail. A mail is denied if its recipient has had too many. */
export interface MailPermit {
  kind: MailKind;
  recipient: string;
  isAllowed: boolean;
}

interface Dependencies {
  clock: () => Date;
  limiter: Limiter;
  mailJob: JobKind<MailJob>;
}

/**
 * Queues mails. A mail is enqueued in the transaction of its cause, so that both happen or neither. Each mail needs a permit, because an attacker could flood
 * a stranger with mails. Ask for the permit before the transaction, and call `wake` after it.
 */
export function createOutbox({ clock, limiter, mailJob }: Dependencies) {
  return {
    /** Counts a mail against the limits of its recipient. */
    permit: async (kind: MailKind, recipient: string): Promise<MailPermit> => ({
      kind,
      recipient,
      isAllowed: await limiter.allows(bucketsOf(kind, recipient)),
    }),

    /** Uncounts a mail that was not queued. */
    release: async ({ kind, recipient, isAllowed }: MailPermit): Promise<void> => {
      if (isAllowed) await limiter.giveBack(bucketsOf(kind, recipient));
    },

    /** Queues an allowed mail. @param client the client whose request causes the mail */
    post: async (
      repositories: Pick<OwnerRepositories, 'jobs'>,
      { kind, recipient, isAllowed }: MailPermit,
      { user_agent, ip_address, request_id }: Client,
    ): Promise<void> => {
      if (!isAllowed) return;
      const now = clock();
      const mail: MailJob = {
        kind,
        recipient,
        caused_at: now.toISOString(),
        expires_at: new Date(now.getTime() + lifetimeSeconds[kind] * 1000).toISOString(),
        user_agent,
        ip_address,
        request_id,
      };
      await mailJob.enqueue(repositories, [mail], { uniqueKey: recipient });
    },

    /** Starts the delivery instead of waiting until the queue is looked at. */
    wake: mailJob.wake,
  };
}

export type Outbox = ReturnType<typeof createOutbox>;
