import { hkdfSync, timingSafeEqual } from 'node:crypto';
import { type TSchema, Type } from '@fastify/type-provider-typebox';
import type { PageRequest } from '@quoin/db';
import { Problem } from './errors.ts';
import { hmacSha256 } from './hmac.ts';
import { closed, nullable } from './schema.ts';

// Pages by keyset: a cursor names the last row of a page, so that the next one starts behind it, whatever was inserted or deleted in
// between, and page 10,000 costs what page 1 costs. Cursors are signed: nobody can make one up, or carry it to another list.

const limitDefault = 50;
const limitMax = 200;
const signatureBytes = 16;
const idBytes = 16;

/** The query parameters of a list, to be spread beside its filters. */
export const pageQuery = {
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: limitMax, default: limitDefault, description: 'Items at most.' }),
  ),
  cursor: Type.Optional(
    Type.String({ minLength: 1, maxLength: 200, description: 'The `next_cursor` of the page before.' }),
  ),
  skip: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      description: 'Items to pass over: for small tables. Not together with `cursor`.',
    }),
  ),
};

/** The schema of a page of items. */
export const pageOf = <T extends TSchema>(name: string, item: T) =>
  closed(
    {
      items: Type.Array(item),
      next_cursor: nullable(
        Type.String({
          description: 'Where the next page starts; null on the last one.',
          examples: ['AZng9XwecXs6mlMPXOmhwtTqxX0m1l0lXcRkVx0k4Aw'],
        }),
      ),
    },
    { title: name },
  );

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

interface PageQuery {
  limit?: number;
  cursor?: string;
  skip?: number;
}

/**
 * Reads the query's page and turns the rows into it.
 *
 * @param list the name of the list: a cursor is good for no other
 */
export function createPages(secretKey: string) {
  const mac = hmacSha256(Buffer.from(hkdfSync('sha256', secretKey, '', 'quoin page cursor', 32)));
  const sign = (list: string, id: Buffer) => mac(Buffer.concat([Buffer.from(list), id])).subarray(0, signatureBytes);

  const encode = (list: string, id: string) => {
    const bytes = Buffer.from(id.replaceAll('-', ''), 'hex');
    return Buffer.concat([bytes, sign(list, bytes)]).toString('base64url');
  };

  const decode = (list: string, cursor: string): string => {
    const bytes = Buffer.from(cursor, 'base64url');
    const [id, signature] = [bytes.subarray(0, idBytes), bytes.subarray(idBytes)];
    const isOurs =
      bytes.toString('base64url') === cursor &&
      signature.length === signatureBytes &&
      timingSafeEqual(signature, sign(list, id));
    if (!isOurs) throw invalidQuery('/cursor', 'is not a cursor of this list');
    return id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  };

  return {
    /** What to ask the repository for. @throws Problem for a cursor that is not of this list, or together with `skip` */
    request: (list: string, { limit = limitDefault, cursor, skip }: PageQuery): PageRequest => {
      if (cursor !== undefined && skip !== undefined) throw invalidQuery('/skip', 'cannot be combined with cursor');
      return { limit, skip: skip || undefined, after: cursor === undefined ? undefined : decode(list, cursor) };
    },

    /** The page, from the rows that the repository found: one more than asked for means that there is another page. */
    from: <Row extends { id: string }>(
      list: string,
      rows: Row[],
      { limit }: PageRequest,
      hasMore = rows.length > limit,
    ): Page<Row> => {
      const items = rows.slice(0, limit);
      const last = items.at(-1);
      return { items, next_cursor: hasMore && last ? encode(list, last.id) : null };
    },
  };
}

export type Pages = ReturnType<typeof createPages>;

function invalidQuery(pointer: string, message: string) {
  return new Problem('validation_failed', `query ${pointer} ${message}`, {
    errors: [{ in: 'query', pointer, message }],
  });
}
