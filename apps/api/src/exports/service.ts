import { Readable } from 'node:stream';
import { type Database, newId, requireSession, type Scope } from '@quoin/db';
import { type Static, Type } from 'typebox';
import type { Client } from '../http/client.ts';
import { deleteAll } from '../http/delete-all.ts';
import { found, sessionEnded } from '../http/errors.ts';
import { exportReadyMail } from '../mail/kinds/export-ready.ts';
import type { Mail } from '../mail/mail.ts';
import type { Jobs } from '../queue/jobs.ts';

interface Dependencies {
  database: Database;
  jobs: Pick<Jobs, 'define'>;
  mail: Mail;
  clock: () => Date;
}

const keptMs = 7 * 86_400_000;

/** The account is the user of the job. */
const ExportJob = Type.Object({ export_id: Type.String() });
type ExportJob = Static<typeof ExportJob>;

/** Archives of all rows of a user. A job makes them, table by table, so that no statement is long and no archive has to fit into memory. */
export function createExports({ database, jobs, mail, clock }: Dependencies) {
  const exportJob = jobs.define({
    name: 'export account',
    data: ExportJob,
    timeoutSeconds: 3_600,
    // One at a time for each user, so that two attempts do not write the same archive.
    isSerialized: true,
    run: async ({ userId, data, signal }) => {
      if (userId) await makeArchive(userId, data, signal);
    },
  });

  /** Each attempt writes parts of its own, so that one that another process has taken over does no harm. */
  async function makeArchive(userId: string, { export_id }: ExportJob, signal: AbortSignal): Promise<void> {
    const { accountExports } = database.system();
    if (!(await accountExports.isPending(userId, export_id))) return;
    const attempt = { userId, exportId: export_id, attemptId: newId() };
    let parts = 0;
    for (const table of await accountExports.tables())
      for (let last = await accountExports.addPart(attempt, parts, table, undefined); last; ) {
        parts += 1;
        signal.throwIfAborted();
        last = await accountExports.addPart(attempt, parts, table, last);
      }
    await database.system().transaction(async (repositories) => {
      const user = await repositories.users.lock(userId);
      if (!user || !(await repositories.accountExports.complete(attempt, parts, clock()))) return;
      await mail.send(repositories, exportReadyMail, user.email, { export_id });
    });
    mail.wake();
  }

  return {
    /** Requests an export. The user gets a mail when it is complete. */
    request: async (scope: Scope, client: Client) => {
      const id = newId();
      const created_at = clock();
      const expires_at = new Date(created_at.getTime() + keptMs);
      const { sessionId } = requireSession(scope);
      const requested = await database
        .as(scope)
        .transaction(async ({ accountExports, auditEvents, jobs: queue, userSessions }) => {
          // The request may have begun before the session was revoked.
          if (!(await userSessions.lockUnrevoked(sessionId))) throw sessionEnded();
          await accountExports.create({ id, created_at, expires_at });
          await auditEvents.create({ action: 'export_requested', details: { export_id: id }, ...client });
          await exportJob.enqueue({ jobs: queue }, [{ export_id: id }], { concurrencyKey: scope.owner.userId });
          return { id, state: 'pending' as const, created_at, expires_at };
        });
      exportJob.wake();
      return requested;
    },

    /** Resolves to the export, and to its archive as a stream of JSON if it is complete. @throws Problem `not_found` */
    find: async (scope: Scope, id: string) => {
      const { attempt_id, parts, created_at, expires_at } = found(
        await database.as(scope).accountExports.find(id, clock()),
      );
      const row = { id, created_at, expires_at };
      if (attempt_id === null || parts === null) return { ...row, state: 'pending' as const };
      const archive = Readable.from(archiveOf(scope, { ...row, attempt_id, parts }));
      return { ...row, state: 'complete' as const, archive };
    },

    /** Deletes archives that have expired. Resolves to their number. */
    deleteExpired: () => deleteAll((limit) => database.system().accountExports.deleteExpired(clock(), limit)),
  };

  async function* archiveOf(
    scope: Scope,
    { id, created_at, attempt_id, parts }: { id: string; created_at: Date; attempt_id: string; parts: number },
  ) {
    const head = { user_id: scope.owner.userId, exported_at: created_at };
    yield `${JSON.stringify(head).slice(0, -1)},"tables":{`;
    let table: string | undefined;
    for (let number = 0; number < parts; number++) {
      const part = await database.as(scope).accountExports.findPart(id, attempt_id, number);
      // Ends the response without its end, so that the client does not take it for complete.
      if (!part) throw new Error(`part ${number} of the export ${id} is missing`);
      if (part.table_name === table) yield `,${part.content}`;
      else yield `${table ? '],' : ''}${JSON.stringify(part.table_name)}:[${part.content}`;
      table = part.table_name;
    }
    yield table ? ']}}' : '}}';
  }
}

export type Exports = ReturnType<typeof createExports>;
