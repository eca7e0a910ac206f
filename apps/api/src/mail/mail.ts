import type { OwnerRepositories } from '@quoin/db';
import type { Static, TSchema } from 'typebox';
import { type Client, noClient } from '../http/client.ts';
import type { JobKind } from '../queue/job.ts';
import type { MailJob } from './delivery.ts';
import type { MailKind } from './kind.ts';

/** Sends mails: a feature imports a kind and passes it here. */
export interface Mail {
  /**
   * Sends a mail if the transaction of `repositories` commits. A job delivers it, unless its mailbox has had too many (docs/mails.md).
   *
   * @param client the client whose request causes the mail
   */
  send<Data extends TSchema>(
    repositories: Pick<OwnerRepositories, 'jobs'>,
    kind: MailKind<Data>,
    recipient: string,
    data: Static<Data>,
    client?: Client,
  ): Promise<void>;
  /** Starts the delivery without waiting for the next poll. Call it after the commit. */
  wake(): void;
}

export const createMail = ({ mailJob, clock }: { mailJob: JobKind<MailJob>; clock: () => Date }): Mail => ({
  send: async (repositories, kind, recipient, data, { user_agent, ip_address, request_id } = noClient) => {
    const now = clock();
    const mail: MailJob = {
      kind: kind.name,
      recipient,
      data: data as Record<string, unknown>,
      caused_at: now.toISOString(),
      expires_at: new Date(now.getTime() + kind.lifetimeSeconds * 1000).toISOString(),
      user_agent,
      ip_address,
      request_id,
    };
    await mailJob.enqueue(repositories, [mail], { concurrencyKey: recipient });
  },

  wake: mailJob.wake,
});
