import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, scopeOf, type TestDatabase } from '../testing/test-database.ts';
import { newId } from './new-id.ts';
import { embeddingWidth, toUnitVector, type Vector } from './schema/vector.ts';
import type { Scope } from './scope.ts';

// The index contains the documents of all users. A user with few documents among many, far from the query, must still get the nearest ones. With 6,000 documents
// the planner uses the index; bench/search.ts has the figures for 100,000.

let database: TestDatabase;
let many: Scope;
let few: Scope;
const manyTotal = 5_600;
const fewTotal = 30;
const limit = 10;

/** Returns a generator of numbers in [0, 1), the same on every run. */
function createRandom(seed: number) {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
const random = createRandom(7);
const topics = Array.from({ length: 12 }, () => Array.from({ length: embeddingWidth }, () => random() - 0.5));
/** Returns vectors that are near each other within a topic. */
const textAbout = (topic: number) =>
  toUnitVector((topics[topic] ?? []).map((number) => number + (random() - 0.5) * 0.7)) as Vector;
const fewTopic = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  const signUp = async (email: string) => {
    const { id } = await database.system().users.create({ email, password_hash: 'x' });
    return scopeOf(id);
  };
  [many, few] = [await signUp('many@example.com'), await signUp('few@example.com')];
  const add = async (scope: Scope, total: number, topicOf: (n: number) => number) => {
    for (let done = 0; done < total; done += 500) {
      const documents = Array.from({ length: Math.min(500, total - done) }, (_, n) => ({
        id: newId(),
        title: 'Title',
        content: 'Content',
        metadata: { topic: topicOf(done + n) },
        embedding: textAbout(topicOf(done + n)),
      }));
      await database.as(scope).documents.create(documents);
    }
  };
  // Building the index at the end takes a tenth of the time.
  const index = 'idx_documents_embedding';
  const [definition] = (
    await database.inspect((connection) =>
      connection.query<{ indexdef: string }>('select indexdef from pg_indexes where indexname = $1', [index]),
    )
  ).rows;
  await database.maintain((connection) => connection.execute(`drop index ${index}`));
  await add(many, manyTotal, (n) => 1 + (n % 11));
  await add(few, fewTotal, () => fewTopic);
  await database.maintain((connection) => connection.execute(`${definition?.indexdef}; analyze documents`));
});
afterAll(() => database.close());

const search = async (scope: Scope, vector: Vector, metadata = {}) => {
  const found = await database.as(scope).documents.search({ vector, metadata, limit });
  return found.map(({ document }) => document.id);
};
const nearest = async (scope: Scope, vector: Vector, metadata = {}) => {
  const { rows } = await database.inspect((connection) =>
    connection.query<{ id: string }>(
      `select id from documents where user_id = $1 and metadata @> $2 order by (embedding <=> $3::vector) + 0 limit ${limit}`,
      [scope.owner.userId, JSON.stringify(metadata), vector],
    ),
  );
  return rows.map(({ id }) => id);
};

describe('semantic search among the documents of others', () => {
  test('search returns the nearest documents of a user who has few', async () => {
    for (let topic = 0; topic < topics.length; topic++) {
      const vector = textAbout(topic);
      expect(await search(few, vector)).toEqual(await nearest(few, vector));
    }
  });

  test('index search returns at least 95 % of the nearest documents of a user who has many', async () => {
    let found = 0;
    for (let n = 0; n < 20; n++) {
      const vector = textAbout(n % topics.length);
      const truth = new Set(await nearest(many, vector));
      const answer = await search(many, vector);
      expect(answer).toHaveLength(limit);
      found += answer.filter((id) => truth.has(id)).length;
    }
    expect(found / (20 * limit)).toBeGreaterThanOrEqual(0.95);
  });

  test('search returns the nearest documents that match a metadata filter', async () => {
    const vector = textAbout(3);
    expect(await search(many, vector, { topic: 9 })).toEqual(await nearest(many, vector, { topic: 9 }));
  });

  test('searches exactly if the index stops before it has found enough', async () => {
    const { rows } = await database.maintain(async (connection) => {
      // The query lies among the documents of the other user, so the first ones that the index finds do not count.
      await connection.execute(
        `begin; set local hnsw.max_scan_tuples = 1; set local app.user_id = '${many.owner.userId}'`,
      );
      const answer = await connection.query<{ id: string }>(`select id from semantic_matches($1, '{}', 100)`, [
        textAbout(fewTopic),
      ]);
      await connection.execute('rollback');
      return answer;
    });
    expect(rows).toHaveLength(100);
  });
});

test('concurrent searches return documents of their own user only', async () => {
  const asked = Array.from({ length: 200 }, async (_, n) => {
    const scope = n % 2 === 0 ? many : few;
    const found = await database.as(scope).documents.search({
      vector: textAbout(fewTopic),
      ...(n % 3 === 0 && { words: 'content' }),
      metadata: {},
      limit,
    });
    expect(found).toHaveLength(limit);
    expect(found.map(({ document }) => document.user_id)).toEqual(Array(limit).fill(scope.owner.userId));
  });
  await Promise.all(asked);
});
