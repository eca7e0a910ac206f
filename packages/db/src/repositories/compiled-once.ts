import { type Compilable, CompiledQuery, type Kysely } from 'kysely';
import type { Tables } from '../schema/tables.ts';

/**
 * A query that Kysely puts together once, and not for each request: that took longer than `pg` takes to send it and read the answer.
 *
 *     const byTitle = compiledOnce((db, userId: string, title?: string) => {
 *       const query = db.selectFrom('tasks').selectAll().where('user_id', '=', userId);
 *       return title === undefined ? query : query.where('title', '=', title);
 *     });
 *     const rows = await byTitle(db, userId, 'Lay the cornerstone');
 *
 * @param build is called once for each set of arguments that are not undefined. In place of those it is given markers, which it passes on
 *   to the query as values: it can ask whether there is one, and nothing else
 */
export function compiledOnce<Arguments extends unknown[], Row>(
  build: (db: Kysely<Tables>, ...values: Arguments) => Compilable<Row>,
): (db: Kysely<Tables>, ...values: Arguments) => Promise<Row[]> {
  const compiled = new Map<number, { sql: string; parameters: readonly unknown[] }>();

  return async (db, ...values) => {
    const given = values.reduce<number>((bits, value, place) => (value === undefined ? bits : bits | (1 << place)), 0);
    let query = compiled.get(given);
    if (!query) {
      const markers = values.map((value, place) => (value === undefined ? undefined : new Marker(place)));
      query = build(db, ...(markers as Arguments)).compile();
      compiled.set(given, query);
    }
    const parameters = query.parameters.map((parameter) =>
      parameter instanceof Marker ? values[parameter.place] : parameter,
    );
    const { rows } = await db.executeQuery(CompiledQuery.raw(query.sql, parameters));
    return rows as Row[];
  };
}

/** Stands for the argument at this place. */
class Marker {
  readonly place: number;

  constructor(place: number) {
    this.place = place;
  }
}
