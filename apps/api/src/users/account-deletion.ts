import {
  type Database,
  requireSession,
  type Scope,
  type SystemRepositories,
  type User,
  type Versions,
} from '@quoin/db';
import { Type } from 'typebox';
import type { Client } from '../http/client.ts';
import { deleteAll } from '../http/delete-all.ts';
import { found, Problem, sessionEnded } from '../http/errors.ts';
import { preconditionFailed } from '../http/preconditions.ts';
import { deletionRequestedMail } from '../mail/kinds/deletion-requested.ts';
import type { Mail } from '../mail/mail.ts';
import { queueNameOf } from '../queue/boss.ts';
import type { JobKind } from '../queue/job.ts';
import type { Jobs } from '../queue/jobs.ts';
import { actorColumns } from './account-changes.ts';
import { lastOwner, mapLastOwner } from './last-owner.ts';
import { wrongPassword } from './reauthentication.ts';

interface Dependencies {
  database: Database;
  jobs: Pick<Jobs, 'define'>;
  /** Deletes the organizations that have no other member. */
  organizationDeletion: {
    enqueue: (repositories: Pick<SystemRepositories, 'jobs'>, organizationIds: readonly string[]) => Promise<void>;
    wake: () => void;
    deleteNow: (organizationIds: readonly string[]) => Promise<void>;
  };
  mail: Mail;
  clock: () => Date;
}

interface Conditions {
  /** The hash that was verified, if any: the account must still have it. */
  passwordHash?: string | null;
  versions: Versions;
}

/** The account is the user of the job. */
const DeletionJob = Type.Object({});

const dayMs = 86_400_000;
const hourMs = 3_600_000;
/** How far the clock of this process may be behind that of the database. */
const skewMs = 5_000;
/** Deletions that one run enqueues. */
const overdueMax = 1_000;

/** Deletes accounts: marks them, so that they are unusable from that moment, and deletes their rows in a job. */
export function createAccountDeletion({ database, jobs, organizationDeletion, mail, clock }: Dependencies) {
  const deletionJob: JobKind<object> = jobs.define({
    name: 'delete account',
    data: DeletionJob,
    retrySeconds: 60,
    timeoutSeconds: 3_600,
    run: async ({ userId }) => {
      if (userId && (await markIfDue(userId))) await deleteRowsOf(database, userId);
    },
  });

  /** Resolves to whether the account is marked: its deletion was requested, and nobody signed in until it was due. */
  const markIfDue = (id: string): Promise<boolean> =>
    database.system().transaction(async (repositories) => {
      const account = await repositories.deletedAccounts.lock(id);
      if (account?.deleted_at) return true;
      if (!account?.deletion_due_at) return false;
      // The clock of this process may be behind that of the database, or the deletion was requested again.
      if (account.deletion_due_at > clock()) {
        await deletionJob.enqueue(repositories, [{}], {
          userId: id,
          startAfter: new Date(Math.max(account.deletion_due_at.getTime(), Date.now() + skewMs)),
        });
        return false;
      }
      const event = { user_id: id, actor_id: id } as const;
      const cancelReason = (await isLastAdmin(repositories, id))
        ? 'last_admin'
        : (await repositories.organizations.hasLastOwner(id)) && 'last_owner';
      if (cancelReason) {
        await repositories.deletedAccounts.cancel(id);
        await repositories.auditEvents.create({
          action: 'deletion_cancelled',
          details: { reason: cancelReason },
          ...event,
        });
        return false;
      }
      await organizationDeletion.enqueue(repositories, await leaveOrganizations(repositories, id));
      await repositories.deletedAccounts.mark(id, clock());
      await repositories.auditEvents.create({ action: 'account_deleted', ...event });
      return true;
    });

  /** Ends the memberships of an account. Resolves to the organizations that have no other member, marked as deleted. @throws Problem `last_owner` */
  const leaveOrganizations = async ({ organizations }: SystemRepositories, userId: string): Promise<string[]> => {
    const marked = await organizations.markDeletedOf(userId, clock());
    await mapLastOwner(() => organizations.leaveAll(userId));
    return marked;
  };

  return {
    /** Marks an account. @throws Problem `last_admin`, `last_owner`, `not_found`, `wrong_password`, `precondition_failed` */
    markDeleted: async (id: string, scope: Scope, client: Client, { passwordHash, versions }: Conditions) => {
      await database.system(scope).transaction(async (repositories) => {
        await keepAnAdmin(repositories, id);
        await organizationDeletion.enqueue(repositories, await leaveOrganizations(repositories, id));
        if (!(await repositories.deletedAccounts.mark(id, clock(), { passwordHash, versions }))) {
          const { password_hash } = found(await repositories.users.find(id));
          throw passwordHash && passwordHash !== password_hash ? wrongPassword() : preconditionFailed();
        }
        const event = { user_id: id, ...actorColumns(scope), ...client };
        await repositories.auditEvents.create({ action: 'account_deleted', ...event });
        await deletionJob.enqueue(repositories, [{}], { userId: id });
      });
      deletionJob.wake();
      organizationDeletion.wake();
    },

    /**
     * Requests the deletion of the caller's account. Ends all its sessions. Its API keys are refused until the deletion is cancelled. The next sign-in cancels the deletion (`auth/begin-session.ts`).
     *
     * @throws Problem `last_admin`, `last_owner`
     */
    request: async (scope: Scope, days: number, client: Client) => {
      const { userId, sessionId } = requireSession(scope);
      const now = clock();
      const deletion_due_at = new Date(now.getTime() + days * dayMs);
      const requested = await database.system(scope).transaction(async (repositories) => {
        const { deletedAccounts, organizations, users, userSessions, auditEvents } = repositories;
        await keepAnAdmin(repositories, userId);
        if (await organizations.hasLastOwner(userId)) throw lastOwner();
        const user = found(await users.lock(userId));
        // The request may have begun before the session was revoked.
        if (!(await userSessions.lockUnrevoked({ userId, sessionId }))) throw sessionEnded();
        await deletedAccounts.request(userId, deletion_due_at);
        await userSessions.revokeAllOf(userId, 'deletion_requested', now);
        const event = { user_id: userId, ...actorColumns(scope), ...client };
        await auditEvents.create({ action: 'deletion_requested', details: { deletion_due_at }, ...event });
        await repositories.jobs.deleteWaiting(queueNameOf(deletionJob.name), userId);
        await deletionJob.enqueue(repositories, [{}], { userId, ...(days > 0 && { startAfter: deletion_due_at }) });
        const data = { due_on: days > 0 ? deletion_due_at.toISOString().slice(0, 10) : null };
        await mail.send(repositories, deletionRequestedMail, user.email, data, client);
        return { deletion_due_at };
      });
      mail.wake();
      if (days === 0) deletionJob.wake();
      return requested;
    },

    /** Enqueues deletions that are overdue and have no job, because an admin discarded it, or it failed for good. Resolves to their number. */
    enqueueOverdue: async () => {
      const { deletedAccounts } = database.system();
      const overdue = await deletedAccounts.listOverdue(new Date(clock().getTime() - hourMs), overdueMax);
      for (const userId of overdue) await deletionJob.enqueue(database.system(), [{}], { userId });
      deletionJob.wake();
      return overdue.length;
    },

    /** Deletes an account with all its rows now, for a command. @throws Problem `last_admin`, `last_owner` */
    deleteNow: async (id: string) => {
      const organizationIds = await database.system().transaction(async (repositories) => {
        await keepAnAdmin(repositories, id);
        const marked = await leaveOrganizations(repositories, id);
        await repositories.deletedAccounts.mark(id, clock());
        return marked;
      });
      await organizationDeletion.deleteNow(organizationIds);
      await deleteRowsOf(database, id);
    },
  };
}

export type AccountDeletion = ReturnType<typeof createAccountDeletion>;

/** Deletes the rows of a marked account, in batches that lock little and for a short time. */
export async function deleteRowsOf(database: Database, id: string): Promise<void> {
  const { deletedAccounts } = database.system();
  for (const table of await deletedAccounts.dependentTables())
    await deleteAll((limit) => deletedAccounts.deleteRows(table, id, limit));
  await deletedAccounts.delete(id);
}

/**
 * Locks the admins if an admin leaves, so that one stays if two of them remove each other at the same time. Anybody else leaves without waiting for them.
 *
 * @throws Problem `last_admin`
 */
export async function keepAnAdmin(repositories: Pick<SystemRepositories, 'users'>, leaving: string): Promise<void> {
  if (await isLastAdmin(repositories, leaving)) throw new Problem('last_admin', 'Make another user an admin first.');
}

async function isLastAdmin({ users }: Pick<SystemRepositories, 'users'>, leaving: string): Promise<boolean> {
  const isAdmin = (user: User | undefined) => user?.is_admin && user.is_active && user.kind === 'person';
  // The second look, under the lock of the row, is for a user who becomes an admin at this moment. The first one gives concurrent admins one order of locks.
  if (!isAdmin(await users.find(leaving)) && !isAdmin(await users.lock(leaving))) return false;
  const admins = await users.lockActiveAdmins();
  return admins.length === 1 && admins[0] === leaving;
}
