import { newId } from '@quoin/db';
import { describe, expect, test } from 'vitest';
import { sortedPageFrom, sortedPageRequest } from './sorted-page.ts';

const sorts = { price: { type: 'numeric' }, due_on: { type: 'date', isNullable: true } };
const request = (query: object, list = 'products') => sortedPageRequest(list, query, sorts);

/** Returns the cursor after a row with this value. */
const cursorAfter = (sort_value: string | null, query: object, id = newId()) => {
  const { next_cursor } = sortedPageFrom(
    'products',
    [
      { id, sort_value },
      { id: newId(), sort_value },
    ],
    request(query),
  );
  return next_cursor ?? '';
};

describe('pages of a sorted list', () => {
  test.each(['12.50', '', 'ü€🧱', null])('continue after a row with the value %j', (value) => {
    const id = newId();
    const query = { limit: 1, sort: '-due_on' };
    expect(request({ ...query, cursor: cursorAfter(value, query, id) })).toEqual({
      limit: 1,
      skip: undefined,
      sort: { column: 'due_on', type: 'date', isNullable: true, isDescending: true },
      after: { id, sort_value: value },
    });
  });

  test('continue newest first without an order', () => {
    const id = newId();
    const { sort, after } = request({ limit: 1, cursor: cursorAfter(null, { limit: 1 }, id) });
    expect([sort, after]).toEqual([undefined, { id, sort_value: null }]);
  });

  test('end without a cursor', () => {
    expect(
      sortedPageFrom('products', [{ id: newId(), sort_value: '1' }], request({ limit: 1 })).next_cursor,
    ).toBeNull();
  });

  test('continue where a filter stopped looking, even if they are not full', () => {
    const last = { id: newId(), sort_value: '1' };
    const { items, next_cursor } = sortedPageFrom('products', [], request({ sort: 'price' }), { scannedTo: last });
    expect(items).toEqual([]);
    expect(request({ sort: 'price', cursor: next_cursor }).after).toEqual(last);
  });
});

test('a cursor of another list, of another order or without its end, and one beside skip, are refused', () => {
  const query = { limit: 1, sort: 'price' };
  const cursor = cursorAfter('12.50', query);
  const refused = { code: 'validation_failed' };
  for (const other of [{ sort: '-price' }, { sort: 'due_on' }, { sort: undefined }])
    expect(() => request({ ...query, ...other, cursor })).toThrow(expect.objectContaining(refused));
  expect(() => request({ ...query, cursor }, 'reviews')).toThrow(expect.objectContaining(refused));
  for (const broken of [cursor.slice(0, -1), cursor.slice(0, 20), 'A', '*'])
    expect(() => request({ ...query, cursor: broken })).toThrow(expect.objectContaining(refused));
  expect(() => request({ ...query, cursor, skip: 1 })).toThrow(expect.objectContaining(refused));
});
