import { testServerUrl } from '@quoin/db/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem, startTestApp, type TestApp } from '../../testing/test-app.ts';

let api: TestApp;
type User = Awaited<ReturnType<TestApp['signUp']>>;
let user: User;
beforeAll(async () => {
  api = await startTestApp();
  user = await api.signUp();
});
afterAll(() => api.close());

const width = 768;
/** Returns a vector in the plane of the first two axes, at an angle in degrees from the first. */
const at = (degrees: number) => {
  const vector = Array<number>(width).fill(0);
  vector[0] = Math.cos((degrees * Math.PI) / 180);
  vector[1] = Math.sin((degrees * Math.PI) / 180);
  return vector;
};
const path = '/users/me/documents';
const make = async (body: object, as = user) => {
  const response = await api.send('POST', path, {
    token: as.token,
    body: { title: 'Title', content: 'Content', ...body },
  });
  expect(response.statusCode).toBe(201);
  return response.json() as { id: string; updated_at: string; has_embedding: boolean };
};
const search = (body: object, as = user, where = path) =>
  api.send('POST', `${where}/search`, { token: as.token, body });
const found = async (body: object, as = user) => {
  const response = await search(body, as);
  expect(response.statusCode).toBe(200);
  return response.json().items as { document: { id: string; title: string; user_id: string }; score: number }[];
};
const titles = async (body: object, as = user) => (await found(body, as)).map(({ document }) => document.title);

describe('a document', () => {
  test('a document can be created, read, updated and deleted', async () => {
    const response = await api.send('POST', path, {
      token: user.token,
      body: { title: 'On cornerstones 😀', content: 'A stone\nat a corner', metadata: { a: [1, { b: null }] } },
    });
    const made = response.json();
    expect(made).toEqual({
      id: expect.any(String),
      user_id: user.id,
      title: 'On cornerstones 😀',
      content: 'A stone\nat a corner',
      metadata: { a: [1, { b: null }] },
      has_embedding: false,
      created_at: expect.any(String),
      updated_at: expect.any(String),
    });
    const url = `${path}/${made.id}`;
    expect(response.headers.location).toBe(`/api/v1/users/${user.id}/documents/${made.id}`);
    expect((await api.send('GET', url, { token: user.token })).json()).toEqual(made);
    const changed = await api.send('PATCH', url, { token: user.token, body: { metadata: {} } });
    expect(changed.json()).toMatchObject({ title: made.title, metadata: {} });
    expect(Date.parse(changed.json().updated_at)).toBeGreaterThan(Date.parse(made.updated_at));
    expect((await api.send('PATCH', url, { token: user.token, body: {} })).json()).toEqual(changed.json());
    expect((await api.send('DELETE', url, { token: user.token })).statusCode).toBe(204);
    expectProblem(await api.send('GET', url, { token: user.token }), 404, 'not_found');
    expectProblem(await api.send('PATCH', url, { token: user.token, body: { title: 'x' } }), 404, 'not_found');
    expectProblem(await api.send('DELETE', url, { token: user.token }), 404, 'not_found');
  });

  test('a document of 100,000 characters is stored and found', async () => {
    const owner = await api.signUp();
    const letter = (n: number) => String.fromCodePoint(0x10400 + (Math.floor(n) % 40));
    const word = (n: number) => letter(n) + letter(n / 40) + letter(n / 1600);
    const content = `needle ${Array.from({ length: 11_000 }, (_, n) => `${word(n)}-${word(n + 7)} `).join('')}`;
    const cut = [...content].slice(0, 100_000).join('');
    await make({ content: cut }, owner);
    expect(await titles({ query: 'needle' }, owner)).toEqual(['Title']);
    await make(
      {
        title: 'Links',
        content: Array.from({ length: 6000 }, (_, n) => `a${n}.co/x/${n}?y`)
          .join(' ')
          .slice(0, 100_000),
      },
      owner,
    );
    expectProblem(
      await api.send('POST', path, { token: owner.token, body: { title: 'x', content: 'x'.repeat(100_001) } }),
      422,
      'validation_failed',
    );
  });

  test.each([
    [{ title: '' }, '/title'],
    [{ title: ' \n ' }, '/title'],
    [{ title: 'x'.repeat(201) }, '/title'],
    [{ title: 'a\u0000b' }, '/title'],
    [{ content: '' }, '/content'],
    [{ content: '\ud800' }, '/content'],
    [{ metadata: [] }, '/metadata'],
    [{ metadata: null }, '/metadata'],
    [{ user_id: 'me' }, '/user_id'],
    [{ embedding: null }, '/embedding'],
    [{ embedding: at(0).slice(1) }, '/embedding'],
    [{ embedding: [...at(0), 0] }, '/embedding'],
    [{ embedding: at(0).map(String) }, '/embedding/0'],
    [{ embedding: Array(width).fill(0) }, '/embedding'],
    [{ embedding: Array(width).fill(-0) }, '/embedding'],
  ])('an invalid document answers 422 with a pointer: %#', async (fault, pointer) => {
    const response = await api.send('POST', path, { token: user.token, body: { title: 'T', content: 'C', ...fault } });
    expect(expectProblem(response, 422, 'validation_failed').errors?.[0]?.pointer).toBe(pointer);
  });

  test('an embedding rejects numbers beyond JSON and 32-bit floats', async () => {
    const send = (first: string) => {
      const embedding = `[${[first, ...Array(width - 1).fill('1')].join()}]`;
      const body = `{"title":"T","content":"C","embedding":${embedding}}`;
      return api.send('POST', path, { token: user.token, body, headers: { 'content-type': 'application/json' } });
    };
    for (const none of ['NaN', 'Infinity', '-Infinity']) expectProblem(await send(none), 400, 'malformed_json');
    expectProblem(await send('1e999'), 422, 'validation_failed');
    // A value that fits a double but not a float still has a direction.
    for (const number of ['1e308', '-1e308', '1e-320', '3.5e38']) expect((await send(number)).statusCode).toBe(201);
  });
});

describe('many documents at once', () => {
  const batch = (items: object[], as = user) => api.send('POST', `${path}/batch`, { token: as.token, body: { items } });

  test('a batch creates 500 documents with embeddings in order', async () => {
    const owner = await api.signUp();
    const items = Array.from({ length: 500 }, (_, n) => ({
      title: `Title ${n}`,
      content: 'Content',
      embedding: at(n / 10),
    }));
    const response = await batch(items, owner);
    expect(response.statusCode).toBe(201);
    expect(response.json().items.map(({ title }: { title: string }) => title)).toEqual(items.map(({ title }) => title));
    const page = (await api.send('GET', `${path}?limit=3`, { token: owner.token })).json();
    expect(page.items.map(({ title }: { title: string }) => title)).toEqual(['Title 499', 'Title 498', 'Title 497']);
    expect(page.next_cursor).toEqual(expect.any(String));
    expect(await titles({ embedding: at(0), limit: 3 }, owner)).toEqual(['Title 0', 'Title 1', 'Title 2']);
  });

  test('a batch creates all documents or none', async () => {
    const owner = await api.signUp();
    const good = { title: 'T', content: 'C' };
    const zeros = await batch([good, { ...good, embedding: Array(width).fill(0) }], owner);
    expect(expectProblem(zeros, 422, 'validation_failed').errors?.[0]?.pointer).toBe('/items/1/embedding');
    for (const items of [[], Array(501).fill(good), [good, {}]])
      expectProblem(await batch(items, owner), 422, 'validation_failed');
    expect((await api.send('GET', path, { token: owner.token })).json().items).toEqual([]);
  });

  test('a batch accepts 16 MiB, and a single document does not', async () => {
    const content = 'x'.repeat(90_000);
    const items = Array.from({ length: 100 }, () => ({ title: 'T', content }));
    expect((await batch(items)).statusCode).toBe(201);
    const large = { items: Array.from({ length: 190 }, () => ({ title: 'T', content })) };
    expectProblem(
      await api.send('POST', `${path}/batch`, { token: user.token, body: large }),
      413,
      'payload_too_large',
    );
    expectProblem(await api.send('POST', path, { token: user.token, body: { items } }), 413, 'payload_too_large');
  });
});

describe('documents of another user', () => {
  test('documents of another user answer 403 or 404, and admins can manage them', async () => {
    const [other, admin] = [await api.signUp(), await api.signUpAdmin()];
    const { id } = await make({ title: 'Mine', embedding: at(0) });
    const theirs = `/users/${user.id}/documents`;
    for (const [method, where, body] of [
      ['GET', theirs],
      ['POST', theirs, { title: 'T', content: 'C' }],
      ['POST', `${theirs}/batch`, { items: [{ title: 'T', content: 'C' }] }],
      ['POST', `${theirs}/search`, { query: 'x' }],
      ['GET', `${theirs}/${id}`],
      ['PATCH', `${theirs}/${id}`, { title: 'Stolen' }],
      ['DELETE', `${theirs}/${id}`],
    ] as const)
      expectProblem(await api.send(method, where, { token: other.token, body }), 403, 'forbidden');
    for (const [method, body] of [['GET'], ['PATCH', { title: 'Stolen' }], ['DELETE']] as const)
      expectProblem(await api.send(method, `${path}/${id}`, { token: other.token, body }), 404, 'not_found');
    expect((await api.send('GET', `${theirs}/${id}`, { token: admin.token })).json().title).toBe('Mine');
    const results = await search({ embedding: at(0), limit: 1 }, admin, theirs);
    expect(results.json().items[0].document.user_id).toBe(user.id);
    const nobody = '/users/01999999-9999-7999-9999-999999999999/documents';
    expectProblem(
      await api.send('POST', nobody, { token: admin.token, body: { title: 'T', content: 'C' } }),
      404,
      'not_found',
    );
  });

  test('search never returns documents of another user, in any mode', async () => {
    const [one, other] = [await api.signUp(), await api.signUp()];
    for (let n = 0; n < 20; n++) await make({ title: `Secret ${n}`, content: 'treasure', embedding: at(0) }, other);
    await make({ title: 'Own', content: 'treasure map', embedding: at(60) }, one);
    await make({ title: 'Own too', content: 'nothing', embedding: at(90) }, one);
    for (const mode of ['semantic', 'keyword', 'hybrid']) {
      const results = await found({ query: 'treasure', embedding: at(0), mode }, one);
      expect(results.length).toBe(mode === 'keyword' ? 1 : 2);
      for (const { document } of results) expect(document.user_id).toBe(one.id);
    }
  });
});

describe('a search', () => {
  let owner: User;
  beforeAll(async () => {
    owner = await api.signUp();
    await make(
      {
        title: 'Stones',
        content: 'A wall is made of stones.',
        embedding: at(10),
        metadata: { kind: 'a', n: { x: 1 } },
      },
      owner,
    );
    await make({ title: 'Walls', content: 'Walls stand for long.', embedding: at(50), metadata: { kind: 'b' } }, owner);
    await make(
      { title: 'Bread', content: 'Flour, water, salt and time.', embedding: at(80), metadata: { kind: 'a' } },
      owner,
    );
    await make({ title: 'Not embedded', content: 'A wall without meaning.' }, owner);
  });

  test('semantic search ranks by cosine similarity', async () => {
    const results = await found({ embedding: at(0) }, owner);
    expect(results.map(({ document }) => document.title)).toEqual(['Stones', 'Walls', 'Bread']);
    for (const [index, degrees] of [10, 50, 80].entries())
      expect(results[index]?.score).toBeCloseTo(Math.cos((degrees * Math.PI) / 180), 5);
    expect(await titles({ embedding: at(0).map((number) => number * 1e30), limit: 1 }, owner)).toEqual(['Stones']);
  });

  test('keyword search finds other word forms and ranks them', async () => {
    expect((await titles({ query: 'wall', mode: 'keyword' }, owner)).sort()).toEqual([
      'Not embedded',
      'Stones',
      'Walls',
    ]);
    expect((await titles({ query: 'walls' }, owner))[0]).toBe('Walls');
    expect(await titles({ query: 'wall -stone' }, owner)).not.toContain('Stones');
    expect(await titles({ query: '"water salt"' }, owner)).toEqual(['Bread']);
    expect((await titles({ query: 'flour or standing' }, owner)).sort()).toEqual(['Bread', 'Walls']);
    expect(await titles({ query: 'nowhere' }, owner)).toEqual([]);
  });

  test('hybrid search ranks documents of both lists first', async () => {
    const results = await found({ query: 'stones', embedding: at(80) }, owner);
    expect(results.map(({ document }) => document.title)).toEqual(['Stones', 'Bread', 'Walls']);
    expect(results[0]?.score).toBeCloseTo(1 / 63 + 1 / 61, 10);
    expect(await titles({ query: 'stones', embedding: at(80), limit: 1 }, owner)).toEqual(['Stones']);
  });

  test('search filters by metadata containment', async () => {
    expect(await titles({ embedding: at(0), metadata: { kind: 'a' } }, owner)).toEqual(['Stones', 'Bread']);
    expect(await titles({ embedding: at(0), metadata: { n: { x: 1 } } }, owner)).toEqual(['Stones']);
    expect(await titles({ query: 'wall', metadata: { kind: 'b' } }, owner)).toEqual(['Walls']);
    expect(await titles({ query: 'wall', embedding: at(0), metadata: { kind: 'none' } }, owner)).toEqual([]);
  });

  test('search accepts any text as query', async () => {
    const texts = [
      "'",
      '"',
      '""',
      '\\',
      ':*',
      '& | ! ( )',
      '-',
      '<->',
      '😀',
      '\u2028',
      '%_',
      "it's a 'wall",
      'x'.repeat(10_000),
      'the',
      ' ',
      '( '.repeat(4000),
      '-"'.repeat(2000),
      'wall\t\n',
    ];
    for (const query of texts) expect((await search({ query }, owner)).statusCode).toBe(200);
  });

  test('keyword search accepts 16 words and answers query_too_expensive for more', async () => {
    const words = (count: number) => Array.from({ length: count }, (_, n) => `word${n}`);
    for (const separator of [' ', ' or ', ','])
      expect((await search({ query: words(16).join(separator) }, owner)).statusCode).toBe(200);
    for (const query of [words(17).join(' '), words(17).join(','), 'a '.repeat(5000), `${'-'.repeat(40)}a`])
      expectProblem(await search({ query }, owner), 422, 'query_too_expensive');
    expect((await search({ query: words(60).join(' '), embedding: at(0) }, owner)).statusCode).toBe(200);
  });

  test.each<[object, string]>([
    [{}, '/query'],
    [{ limit: 3 }, '/query'],
    [{ mode: 'keyword', embedding: at(0) }, '/query'],
    [{ mode: 'hybrid', embedding: at(0) }, '/query'],
    [{ mode: 'semantic', query: 'x' }, '/mode'],
    [{ mode: 'hybrid', query: 'x' }, '/mode'],
    [{ mode: 'magic', query: 'x' }, '/mode'],
    [{ query: '' }, '/query'],
    [{ query: 'x', limit: 0 }, '/limit'],
    [{ query: 'x', limit: 101 }, '/limit'],
    [{ query: 'x', metadata: 'y' }, '/metadata'],
    [{ embedding: Array(width).fill(0) }, '/embedding'],
    [{ embedding: [1] }, '/embedding'],
  ])('an invalid search answers 422: %#', async (body, pointer) => {
    expect(expectProblem(await search(body, owner), 422, 'validation_failed').errors?.[0]?.pointer).toBe(pointer);
  });

  test.runIf(testServerUrl)('a search that the database cancels answers 422 query_too_expensive', async () => {
    const execute = (script: string) => api.database.maintain((connection) => connection.execute(script));
    await execute(`
      create function slow_title(text) returns text language sql as 'select $1 || pg_sleep(3)';
      create policy slow on documents as restrictive for select to quoin_app using (slow_title(title) is not null)`);
    try {
      const problem = expectProblem(await search({ query: 'wall' }, owner), 422, 'query_too_expensive');
      expect(problem.detail).toContain('2 s');
    } finally {
      await execute('drop policy slow on documents; drop function slow_title(text)');
    }
  });

  test('search returns limit items if there are enough', async () => {
    const many = await api.signUp();
    await api.send('POST', `${path}/batch`, {
      token: many.token,
      body: {
        items: Array.from({ length: 120 }, (_, n) => ({ title: `${n}`, content: 'same words', embedding: at(n) })),
      },
    });
    expect(await found({ embedding: at(0), limit: 100 }, many)).toHaveLength(100);
    expect(await found({ query: 'words', limit: 100 }, many)).toHaveLength(100);
    expect(await found({ query: 'words', embedding: at(0), limit: 100 }, many)).toHaveLength(100);
    expect(await found({ embedding: at(0) }, many)).toHaveLength(10);
  });
});

describe('a changed text', () => {
  test('a changed text drops the embedding, unless a new one is sent', async () => {
    const owner = await api.signUp();
    const { id } = await make({ title: 'One', content: 'Text', embedding: at(0) }, owner);
    const change = async (body: object) =>
      (await api.send('PATCH', `${path}/${id}`, { token: owner.token, body })).json().has_embedding;
    expect(await change({ title: 'One', content: 'Text' })).toBe(true);
    expect(await change({ metadata: { a: 1 } })).toBe(true);
    expect(await change({ content: 'Another', embedding: at(1) })).toBe(true);
    expect(await change({ title: 'Two' })).toBe(false);
    expect(await found({ embedding: at(0) }, owner)).toEqual([]);
    expect(await change({ embedding: at(2) })).toBe(true);
    expect(await change({ content: 'Some more stones' })).toBe(false);
    expect(await titles({ query: 'stone' }, owner)).toEqual(['Two']);
  });
});
