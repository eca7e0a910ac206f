import { createWriteStream, existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Connection } from '../connection.ts';
import type { Database } from '../database.ts';
import { firstIdAt, timeOfId } from '../repositories/page.ts';

const eventsPerRead = 5_000;

/**
 * Writes each complete month of the audit trail to `audit-events-YYYY-MM.ndjson.gz`, one event per line, oldest first. A month whose file exists is skipped, so
 * the command can run every month.
 *
 * @param before the first month that is not written, at most the first incomplete one
 * @returns the files that it wrote
 */
export async function archiveAuditEvents(database: Database, directory: string, before: Date): Promise<string[]> {
  mkdirSync(directory, { recursive: true });
  return database.maintain(async (connection) => {
    const { rows } = await connection.query<{ id: string }>('select id from audit_events order by id limit 1');
    const written: string[] = [];
    if (!rows[0]) return written;
    for (let month = startOfMonth(timeOfId(rows[0].id)); month < before; month = nextMonth(month)) {
      const file = join(directory, `audit-events-${month.toISOString().slice(0, 7)}.ndjson.gz`);
      if (existsSync(file)) continue;
      const events = Readable.from(eventsBetween(connection, firstIdAt(month), firstIdAt(nextMonth(month))));
      // Under another name until it is complete.
      await pipeline(events, createGzip(), createWriteStream(`${file}.part`, { mode: 0o600, flush: true }));
      renameSync(`${file}.part`, file);
      written.push(file);
    }
    return written;
  });
}

async function* eventsBetween({ query }: Connection, low: string, high: string): AsyncGenerator<string> {
  for (let [after, isFirst] = [low, true]; ; isFirst = false) {
    const { rows } = await query<{ id: string; line: string }>(
      `select id, row_to_json(audit_events)::text as line from audit_events
       where id ${isFirst ? '>=' : '>'} $1 and id < $2 order by id limit $3`,
      [after, high, eventsPerRead],
    );
    for (const { line } of rows) yield `${line}\n`;
    const last = rows.at(-1);
    if (!last || rows.length < eventsPerRead) return;
    after = last.id;
  }
}

/** The first month that is not complete. A month is complete a day after its end, because a transaction that began in it can still commit. */
export const firstIncompleteMonth = (now: Date) => startOfMonth(new Date(now.getTime() - 86_400_000));

const startOfMonth = (time: Date) => new Date(Date.UTC(time.getUTCFullYear(), time.getUTCMonth()));
const nextMonth = (month: Date) => new Date(Date.UTC(month.getUTCFullYear(), month.getUTCMonth() + 1));
