import pg from 'pg';

const parseAny = pg.types.getTypeParser(pg.types.builtins.TIMESTAMPTZ, 'text') as (text: string) => Date;
const zero = 48;

/**
 * Reads a `timestamptz` as PostgreSQL writes it (`2026-11-21 19:16:00.123456+00`), to the millisecond. The parser of `pg` knows every form
 * there is, and takes six times as long for this one, which is the usual; the others are still its own.
 */
export function parseMoment(text: string): Date {
  const { length } = text;
  const isUsual =
    length >= 22 &&
    text.charCodeAt(0) !== zero && // Date.UTC takes the years up to 99 for those of the last century
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
