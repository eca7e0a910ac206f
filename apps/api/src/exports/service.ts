import { Readable } from 'node:stream';
import { type Database, newId, requireSession, type Scope } from '@quoin/db';
import { type Static, Type } from 'typebox';
import type { Client } from '../http/client.ts';
import { found, sessionEnded } from '../http/errors.ts';
import { exportReadyMail } from '../mail/kinds/export-ready.ts';
import type { Mail } from '../mail/mail.ts';
import { forEach } from '../queue/job.ts';
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
    run: forEach(async ({ userId, data }) => {
      if (userId) await makeArchive(userId, data);
    }),
  });

  /** Starts again if an earlier attempt failed. */
  async function makeArchive(userId: string, { export_id }: ExportJob): Promise<void> {
    const { accountExports } = database.system();
    await accountExports.deleteParts(userId, export_id);
    let number = 0;
    for (const table of await accountExports.tables()) {
      let last = await accountExports.addPart(userId, export_id, number, table, undefined);
      while (last) last = await accountExports.addPart(userId, export_id, ++number, table, last);
    }
    await database.system().transaction(async (repositories) => {
      const user = await repositories.users.lock(userId);
      if (!user) return;
      await repositories.accountExports.complete(userId, export_id, clock());
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
          await exportJob.enqueue({ jobs: queue }, [{ export_id: id }]);
          return { id, state: 'pending' as const, created_at, expires_at };
        });
      exportJob.wake();
      return requested;
    },

    /** Resolves to the export, and to its archive as a stream of JSON if it is complete. @throws Problem `not_found` */
    find: async (scope: Scope, id: string) => {
      const { completed_at, ...row } = found(await database.as(scope).accountExports.find(id, clock()));
      const state = completed_at ? ('complete' as const) : ('pending' as const);
      return { ...row, state, ...(completed_at && { archive: Readable.from(archiveOf(scope, row)) }) };
    },

    /** Deletes archives that have expired. Resolves to their number. */
    deleteExpired: () => database.system().accountExports.deleteExpired(clock()),
  };

  async function* archiveOf(scope: Scope, { id, created_at }: { id: string; created_at: Date }) {
    const head = { user_id: scope.owner.userId, exported_at: created_at };
    yield `${JSON.stringify(head).slice(0, -1)},"tables":{`;
    let table: string | undefined;
    for (let number = 0; ; number++) {
      const part = await database.as(scope).accountExports.findPart(id, number);
      if (!part) break;
      if (part.table_name === table) yield `,${part.content}`;
      else yield `${table ? '],' : ''}${JSON.stringify(part.table_name)}:[${part.content}`;
      table = part.table_name;
    }
    yield table ? ']}}' : '}}';
  }
}

export type Exports = ReturnType<typeof createExports>;
