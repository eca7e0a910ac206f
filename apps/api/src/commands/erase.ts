import type { Database } from '@quoin/db';
import type { Terminal } from '@quoin/db/command';
import type { AccountDeletion } from '../users/account-deletion.ts';

type Output = Terminal['stdout'];

interface Options {
  /** Of the account. Undefined with `id`. */
  email?: string | undefined;
  /** Of an account that may have been deleted before, so that its address is not known any more. */
  id?: string | undefined;
  /** Whether to search every table for the account afterwards. */
  prove: boolean;
}

/** The id of no account. */
const noId = '00000000-0000-0000-0000-000000000000';

/** Deletes an account and what outlives it. Can be run again. @returns the exit code */
export async function erase(
  database: Database,
  accountDeletion: AccountDeletion,
  { email, id: givenId, prove: proves }: Options,
  stdout: Output,
): Promise<number> {
  await database.unlimited(async ({ erasure }) => {
    if (await erasure.isAllowed()) return;
    throw new Error('only the owner of the tables may change the audit trail: use the DATABASE_URL of npm run db');
  });
  const { users } = database.system();
  const account = email ? await users.findByEmail(email) : await users.find(givenId ?? noId);
  const id = account?.id ?? givenId;
  const address = email ?? account?.email ?? '';
  if (id) stdout.write(`the account is ${id}\n`);
  if (account) await accountDeletion.deleteNow(account.id);
  // Apart, because erasing events locks the audit trail, which every sign-in writes.
  const jobs = await database.unlimited(({ erasure }) => erasure.eraseJobs(id ?? noId, address));
  const invitations = address ? await database.unlimited(({ erasure }) => erasure.eraseInvitations(address)) : 0;
  const events = await database.unlimited(async ({ erasure, auditEvents }) => {
    const erased = await erasure.eraseAuditEvents(id ?? noId, address || noId);
    await auditEvents.create({ action: 'account_erased' });
    return erased;
  });
  stdout.write(
    `removed ${account ? 'the account, ' : ''}${events} audit events, ${invitations} invitations and ${jobs} jobs\n`,
  );
  return proves ? prove(database, [address, id ?? ''].filter(Boolean), stdout) : 0;
}

/** Lists where the texts still stand. @returns the exit code */
async function prove(database: Database, texts: string[], stdout: Output): Promise<number> {
  const traces = await database.unlimited(({ erasure }) => erasure.findTraces(texts));
  for (const { place, rows } of traces) stdout.write(`${place}: ${rows} rows\n`);
  stdout.write(`${traces.length > 0 ? 'these places still mention' : 'nothing mentions'} ${texts.join(' or ')}\n`);
  return traces.length > 0 ? 1 : 0;
}
