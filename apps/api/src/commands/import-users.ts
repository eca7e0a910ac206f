import { type Static, Type } from '@fastify/type-provider-typebox';
import type { Database } from '@quoin/db';
import { normalizeEmail } from '../http/email.ts';
import { invalid, Problem } from '../http/errors.ts';
import { closed, nullable } from '../http/schema.ts';
import { checkBody } from '../http/validation.ts';
import { isUsableHash } from '../passwords/passwords.ts';
import { AccountProperties, AdminProperties } from '../users/account.ts';

const ImportedUser = closed({
  email: AccountProperties.email,
  password_hash: Type.String({ maxLength: 255 }),
  username: Type.Optional(AccountProperties.username),
  full_name: Type.Optional(AccountProperties.full_name),
  is_active: Type.Optional(AdminProperties.is_active),
  is_admin: Type.Optional(AdminProperties.is_admin),
  email_verified_at: Type.Optional(nullable(Type.String({ maxLength: 40 }))),
});

const batchSize = 500;

interface Report {
  refused: (line: number, reason: string) => void;
  progress: (lines: number) => void;
}

/**
 * Creates an account per line of JSON, with its password hash from another system (bcrypt or Argon2), which the next sign-in renews. Reports invalid lines and lines
 * whose email or username is taken, and continues.
 *
 * @returns the number of new accounts and of refused lines
 */
export async function importUsers(lines: AsyncIterable<string>, database: Database, report: Report) {
  let number = 0;
  let imported = 0;
  let refused = 0;
  let batch: { number: number; user: ReturnType<typeof parseLine> }[] = [];

  const refuse = (line: number, reason: string) => {
    refused += 1;
    report.refused(line, reason);
  };
  const flush = async () => {
    const waiting = batch;
    batch = [];
    if (waiting.length === 0) return;
    const isNew = await database.system().users.createMany(waiting.map(({ user }) => user));
    for (const [index, one] of waiting.entries()) {
      if (isNew[index]) imported += 1;
      else refuse(one.number, 'another account has this email or username');
    }
    report.progress(number);
  };

  for await (const line of lines) {
    number += 1;
    if (line.trim() === '') continue;
    try {
      batch.push({ number, user: parseLine(line) });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      refuse(number, error.detail);
    }
    if (batch.length === batchSize) await flush();
  }
  await flush();
  return { imported, refused };
}

/** @throws Problem */
function parseLine(line: string) {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new Problem('malformed_json', 'the line is not JSON');
  }
  checkBody(ImportedUser, value);
  const { email, email_verified_at, ...user } = value as Static<typeof ImportedUser>;
  if (!isUsableHash(user.password_hash)) throw invalid('/password_hash', 'is not a usable bcrypt or Argon2 hash');
  const verifiedAt = email_verified_at ? new Date(email_verified_at) : null;
  if (verifiedAt && Number.isNaN(verifiedAt.getTime()))
    throw invalid('/email_verified_at', 'must be a date and time (ISO 8601)');
  return { ...user, email: normalizeEmail(email), email_verified_at: verifiedAt };
}
