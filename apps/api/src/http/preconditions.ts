import type { Versions } from '@quoin/db';
import type { FastifyInstance } from 'fastify';
import { notFound, Problem } from './errors.ts';

// Conditional requests (RFC 9110, 13): an ETag is the version of a row in quotes.

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route is about one resource with an `ETag`: GET takes `If-None-Match`, and other methods take `If-Match`. */
    isVersioned?: boolean;
  }
  interface FastifyRequest {
    /** The versions in `If-Match`; undefined without it, and for `*`. */
    readonly versions: Versions;
  }
}

/** With the id, because two users can have the same version of `/users/me`. */
export const tagOf = (version: string, id: unknown): string =>
  typeof id === 'string' ? `"${version}-${id.slice(-12)}"` : `"${version}"`;

/** Whether the list of a header field contains the tag, or is `*`. A weak tag matches as a strong one. */
export const matchesAny = (list: string, tag: string): boolean =>
  list.trim() === '*' || list.split(',').some((item) => item.trim().replace(/^W\//, '') === tag);

export function preconditions(app: FastifyInstance): void {
  app.decorateRequest('versions', {
    getter() {
      const list = this.headers['if-match']?.trim();
      return list === undefined || list === '*' ? undefined : versionsIn(list);
    },
  });
}

/** Weak tags are left out: they never match here. What follows the `-` is not part of the version of the row. */
function versionsIn(list: string): string[] {
  const tags = list.split(',').map((item) => /^"([^"-]*)[^"]*"$/.exec(item.trim())?.[1]);
  return tags.filter((version) => version !== undefined);
}

export const preconditionFailed = () =>
  new Problem('precondition_failed', 'The resource has changed: get it again, and repeat the change.');

/**
 * Returns the row that has one of the versions.
 *
 * @param find finds it with any version
 * @throws Problem `precondition_failed` if it has another one; `not_found` if it does not exist
 */
export async function requireRow<T>(versions: Versions, row: T | undefined, find: () => Promise<unknown>): Promise<T> {
  if (row !== undefined) return row;
  throw versions && (await find()) !== undefined ? preconditionFailed() : notFound();
}

/** Checks the version of a row that a request does not change. @throws Problem `precondition_failed` */
export function requireVersion({ version }: { version: string }, versions: Versions): void {
  if (versions && !versions.includes(version)) throw preconditionFailed();
}
