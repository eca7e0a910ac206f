import { validate, version } from 'uuid';
import { expect, test } from 'vitest';
import { newId } from './new-id.ts';

test('newId creates UUIDs of version 7 in ascending order', () => {
  const ids = Array.from({ length: 10_000 }, newId);
  for (const id of ids) expect([validate(id), version(id)]).toEqual([true, 7]);
  expect(ids).toEqual([...new Set(ids)].sort());
});
