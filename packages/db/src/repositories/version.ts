import { type RawBuilder, sql } from 'kysely';
import type { Tables } from '../schema/tables.ts';

// The version of a row changes with every change of the row: its `updated_at`, in microseconds. A client that sends it back cannot overwrite a concurrent change.

/** Versions that a client accepts; undefined: any. */
export type Versions = readonly string[] | undefined;

type Versioned = { [T in keyof Tables]: 'updated_at' extends keyof Tables[T] ? T : never }[keyof Tables];

/** Subtracts first, because only functions of an interval are immutable, and Citus accepts no others in `returning`. */
export const microsecondsOf = (table: Versioned) =>
  sql<string>`(extract(epoch from ${sql.ref(`${table}.updated_at`)} - timestamptz 'epoch') * 1000000)::bigint::text`;

/** The version of a row, as column `version`. */
export const versionOf = (table: Versioned) => microsecondsOf(table).as('version');

/** Whether the row has one of these versions. */
export const hasVersion = (table: Versioned, versions: Versions): RawBuilder<boolean> =>
  versions === undefined ? sql<boolean>`true` : sql<boolean>`${microsecondsOf(table)} = any(${versions}::text[])`;
