import pg from 'pg';

const parseAny = pg.types.getTypeParser(pg.types.builtins.TIMESTAMPTZ, 'text') as (text: string) => Date;
const zero = 48;

/**
 * Parses a `timestamptz` as PostgreSQL writes it (`2026-11-21 19:16:00.123456+00`), to the millisecond. The parser of `pg` handles every format and
 * takes six times as long for this one; it still parses the others.
 */
export function parseTimestamp(text: string): Date {
  const { length } = text;
  const isUsual =
    length >= 22 &&
    text.charCodeAt(0) !== zero && // Date.UTC maps the years 0 to 99 to 1900 to 1999.
    text.charCodeAt(4) === 45 && // -
    text.charCodeAt(10) === 32 &&
    text.endsWith('+00') &&
    (length === 22 || (text.charCodeAt(19) === 46 && length <= 29)); // .
  if (!isUsual) return parseAny(text);
  const digit = (at: number) => text.charCodeAt(at) - zero;
  const two = (at: number) => digit(at) * 10 + digit(at + 1);
  const end = length - 3;
  const fraction = (at: number) => (at < end ? digit(at) : 0);
  const milliseconds = fraction(20) * 100 + fraction(21) * 10 + fraction(22);
  return new Date(Date.UTC(two(0) * 100 + two(2), two(5) - 1, two(8), two(11), two(14), two(17), milliseconds));
}
