import pg from 'pg';
import { expect, test } from 'vitest';
import { parseTimestamp } from './timestamp.ts';

const parse = pg.types.getTypeParser(pg.types.builtins.TIMESTAMPTZ, 'text') as (text: string) => Date;

test.each([
  '2026-11-21 19:16:00+00',
  '2026-11-21 19:16:00.1+00',
  '2026-11-21 19:16:00.12+00',
  '2026-11-21 19:16:00.123+00',
  '2026-11-21 19:16:00.123999+00',
  '1969-12-31 23:59:59.999+00',
  '0099-01-01 00:00:00+00',
  '0044-03-15 12:00:00+00 BC',
  '10000-01-01 00:00:00+00',
  '2026-11-21 19:16:00.12+05:30',
  '2026-11-21 19:16:00-08',
  '1900-01-01 00:00:00.5-00:01:15',
  'infinity',
  '-infinity',
])('parseTimestamp parses %s as pg does', (text) => {
  expect(parseTimestamp(text)).toEqual(parse(text));
});
