import { StatementTimeout } from '@quoin/db';
import { Problem } from '../http/errors.ts';

/** Longest time of a search in the database. */
export const searchMsMax = 2_000;

/** Returns the problem of a search that failed because it costs too much; otherwise the error itself. */
export const searchError = (error: unknown): unknown =>
  error instanceof StatementTimeout || isTooComplex(error) ? tooExpensive(error) : error;

/** PostgreSQL refuses more than 32 nested operators, such as 40 hyphens before a word: with 54000, or with an internal error. */
const isTooComplex = (error: unknown) => {
  const { code, message = '' } = (error ?? {}) as { code?: string; message?: string };
  return code === '54000' || (code === 'XX000' && message.includes('tsquery'));
};

const tooExpensive = (cause: unknown) =>
  new Problem(
    'query_too_expensive',
    `The search is too complex, or took longer than ${searchMsMax / 1000} s. Search for fewer words.`,
    { errors: [{ in: 'body', pointer: '/query', message: 'takes too long to search for' }], cause },
  );
