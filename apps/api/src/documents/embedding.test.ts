import { createServer, type Server } from 'node:http';
import { dbCommand } from '@quoin/db/cli';
import { keptOpen, runInProcess } from '@quoin/db/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { jobsIn, makeJobsDue } from '../../testing/jobs.ts';
import { expectProblem, startTestApp, type TestApp, testEnvironment } from '../../testing/test-app.ts';
import { reembedding } from '../commands/db.ts';
import { reembed } from '../commands/reembed.ts';
import { createEmbedder, EmbeddingError } from '../embeddings/embedder.ts';

// Uses a local server with OpenAI's embeddings protocol, which fails on demand.

const width = 768;
interface Asked {
  model: string;
  input: string[];
  dimensions: number;
}
type Answer = { status?: number; body: unknown } | 'never' | undefined;

const asked: Asked[] = [];
let authorization: string | undefined;
let inFlight = 0;
let inFlightMax = 0;
/** Replaces the responses to the next requests, in turn. */
let answer: (request: Asked) => Answer = () => undefined;
let service: Server;
let url: string;

/** Texts of one topic have similar vectors. */
const topics = ['stone', 'bread', 'river'];
const embeddingOf = (text: string) => {
  const vector = Array<number>(width).fill(0.001);
  for (const [axis, topic] of topics.entries()) if (text.includes(topic)) vector[axis] = 1;
  return vector;
};

beforeAll(async () => {
  service = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body: Asked = JSON.parse(Buffer.concat(chunks).toString());
    asked.push(body);
    authorization = request.headers.authorization;
    inFlight += 1;
    inFlightMax = Math.max(inFlightMax, inFlight);
    await new Promise((resolve) => setTimeout(resolve, 5));
    inFlight -= 1;
    const made = answer(body);
    if (made === 'never') return;
    const data = body.input.map((text, index) => ({ index, embedding: embeddingOf(text) })).reverse();
    response.writeHead(made?.status ?? 200, { 'content-type': 'application/json' });
    response.end(typeof made?.body === 'string' ? made.body : JSON.stringify(made?.body ?? { data }));
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(service.address() as { port: number }).port}/v1`;
});
beforeEach(() => {
  asked.length = 0;
  answer = () => undefined;
});
afterAll(async () => {
  service.closeAllConnections();
  await new Promise((resolve) => service.close(resolve));
});

describe('the embedder', () => {
  const embedder = () => createEmbedder({ url, model: 'some-model', apiKey: 'some key' });
  const effort = { timeoutMs: 200, attemptsMax: 3 };

  test('the embedder sends one request for all texts and sorts the answer', async () => {
    const vectors = await embedder().embed(['a stone', 'a river'], effort);
    expect(asked).toMatchObject([{ model: 'some-model', input: ['a stone', 'a river'], dimensions: width }]);
    expect(authorization).toBe('Bearer some key');
    const axes = vectors.map((vector) => JSON.parse(String(vector)) as number[]).map((v) => v.indexOf(Math.max(...v)));
    expect(axes).toEqual([0, 2]);
  });

  test('the embedder retries after 500, 429, a timeout and invalid JSON', async () => {
    const failures: Answer[] = [{ status: 500, body: '' }, { status: 429, body: '' }, 'never', { body: '<html>' }];
    for (const failure of failures) {
      asked.length = 0;
      answer = () => (asked.length === 1 ? failure : undefined);
      expect(await embedder().embed(['a stone'], effort)).toHaveLength(1);
      expect(asked).toHaveLength(2);
    }
  });

  test('the embedder gives up after the last attempt, with the reason', async () => {
    answer = () => ({ status: 503, body: 'loading the model' });
    await expect(embedder().embed(['x'], effort)).rejects.toThrow('answered 503: loading the model');
    expect(asked).toHaveLength(3);
    const nobody = createEmbedder({ url: 'http://127.0.0.1:1', model: 'm', apiKey: undefined });
    await expect(nobody.embed(['x'], { ...effort, attemptsMax: 1 })).rejects.toThrow('does not answer');
  });

  test.each<[string, unknown, string]>([
    ['another width', { data: [{ index: 0, embedding: [1, 2, 3] }] }, '3 dimensions, but documents.embedding has 768'],
    ['fewer vectors', { data: [] }, '0 vectors for 1 texts'],
    ['no numbers', { data: [{ index: 0, embedding: Array(width).fill(null) }] }, 'not a list of numbers'],
    ['zeros', { data: [{ index: 0, embedding: Array(width).fill(0) }] }, 'a vector of zeros'],
    ['something else', { vectors: [] }, '0 vectors'],
    ['nothing', 'null', '0 vectors'],
  ])('the embedder rejects %s without a retry', async (_, body, message) => {
    answer = () => ({ body });
    const refused = embedder().embed(['x'], effort);
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toBeInstanceOf(EmbeddingError);
    expect(asked).toHaveLength(1);
  });

  test('the embedder sends at most four concurrent requests', async () => {
    inFlightMax = 0;
    const one = embedder();
    await Promise.all(Array.from({ length: 20 }, (_, n) => one.embed([`text ${n}`], effort)));
    expect(inFlightMax).toBeLessThanOrEqual(4);
    expect(inFlightMax).toBeGreaterThan(1);
  });
});

describe('with EMBEDDING_URL', () => {
  const path = '/users/me/documents';
  let api: TestApp;
  let user: Awaited<ReturnType<TestApp['signUp']>>;
  const log: string[] = [];
  beforeAll(async () => {
    api = await startTestApp({ EMBEDDING_URL: url, EMBEDDING_MODEL: 'model-1' }, { log });
  });
  beforeEach(async () => {
    // Without the jobs of earlier tests.
    await api.database.execute('delete from pgboss.job');
    user = await api.signUp();
    asked.length = 0;
  });
  afterAll(() => api.close());

  const make = async (content: string, more = {}) =>
    (await api.send('POST', path, { token: user.token, body: { title: 'Title', content, ...more } })).json();
  const embed = () => api.app.runner.runDue('embed documents');
  const texts = () => asked.flatMap(({ input }) => input);
  const search = (body: object) => api.send('POST', `${path}/search`, { token: user.token, body });
  const contents = async (body: object) => {
    const response = await search(body);
    expect(response.statusCode).toBe(200);
    return response.json().items.map(({ document }: { document: { content: string } }) => document.content);
  };
  const get = async (id: string) => (await api.send('GET', `${path}/${id}`, { token: user.token })).json();

  test('documents are embedded in the background and then found by meaning', async () => {
    const made = await make('about stone');
    await make('about bread');
    expect(made.has_embedding).toBe(false);
    expect(asked).toEqual([]);
    expect(await contents({ query: 'a stone', mode: 'semantic' })).toEqual([]);
    await embed();
    expect(await get(made.id)).toEqual({ ...made, has_embedding: true });
    expect(await contents({ query: 'bread, of course', mode: 'semantic' })).toEqual(['about bread', 'about stone']);
    expect(await jobsIn(api.database)).toMatchObject([{ name: 'send-mail' }]);
  });

  test('a search with a query uses its meaning too', async () => {
    await make('stone is what walls are made of');
    await make('words without any of these');
    await embed();
    expect(await contents({ query: 'stone' })).toHaveLength(2);
    expect(await contents({ query: 'stone', mode: 'keyword' })).toHaveLength(1);
    expect((await contents({ query: 'stone' }))[0]).toContain('stone');
  });

  test('two processes embed a hundred documents once each', async () => {
    const items = Array.from({ length: 100 }, (_, n) => ({ title: 'T', content: `river ${n}` }));
    await api.send('POST', `${path}/batch`, { token: user.token, body: { items } });
    await Promise.all([embed(), embed()]);
    expect(asked.length).toBeLessThanOrEqual(6);
    expect(new Set(texts()).size).toBe(100);
    expect(texts()).toHaveLength(100);
  });

  test('a client’s embedding stays, and a new text gets a new one', async () => {
    const own = await make('about stone', { embedding: embeddingOf('bread') });
    await embed();
    expect(asked).toEqual([]);
    expect(own.has_embedding).toBe(true);
    await api.send('PATCH', `${path}/${own.id}`, { token: user.token, body: { content: 'about river' } });
    expect((await get(own.id)).has_embedding).toBe(false);
    await embed();
    expect(await contents({ query: 'river', mode: 'semantic', limit: 1 })).toEqual(['about river']);
  });

  test('a text that changes while it is embedded is embedded again', async () => {
    const { id } = await make('about stone');
    answer = () => {
      answer = () => undefined;
      return 'never';
    };
    const embedding = embed();
    await expect.poll(() => asked.length).toBe(1);
    await api.send('PATCH', `${path}/${id}`, { token: user.token, body: { content: 'about bread' } });
    service.closeAllConnections();
    await embedding;
    expect(await contents({ query: 'bread', mode: 'semantic' })).toEqual(['about bread']);
    expect(texts()).toEqual(
      expect.arrayContaining([expect.stringContaining('stone'), expect.stringContaining('bread')]),
    );
  });

  test('without the embedding service, writing and keyword search work, and semantic search answers 503', async () => {
    log.length = 0;
    answer = () => ({ status: 503, body: 'away' });
    const { id } = await make('about stone');
    await embed();
    expect(await contents({ query: 'stone', mode: 'keyword' })).toEqual(['about stone']);
    expect(await contents({ query: 'stone' })).toEqual(['about stone']);
    expect(await contents({ query: 'stone', mode: 'hybrid' })).toEqual(['about stone']);
    expectProblem(await search({ query: 'stone', mode: 'semantic' }), 503, 'embedding_unavailable');
    expect(log.join()).toContain('the embedding service answered 503');
    answer = () => undefined;
    asked.length = 0;
    await embed();
    expect(asked).toEqual([]); // not due yet
    await makeJobsDue(api.database);
    await embed();
    expect((await get(id)).has_embedding).toBe(true);
  });

  test('a text that the service refuses does not block others', async () => {
    await make('about stone');
    await make('poison');
    await make('about bread');
    answer = ({ input }) => (input.some((text) => text.includes('poison')) ? { status: 400, body: 'no' } : undefined);
    await embed();
    expect((await contents({ query: 'stone', mode: 'semantic' })).sort()).toEqual(['about bread', 'about stone']);
    expect(await contents({ query: 'poison', mode: 'keyword' })).toEqual(['poison']);
    expect((await jobsIn(api.database)).filter(({ name }) => name === 'embed-documents')).toMatchObject([
      { state: 'failed', output: { message: 'the embedding service answered 400: no' } },
    ]);
  });

  describe('after a change of the model', () => {
    const model2 = () => createEmbedder({ url, model: 'model-2', apiKey: undefined });
    const told: { total: number; embedded: number }[] = [];
    const again = async (failed = (_: Error) => {}) => {
      asked.length = 0;
      told.length = 0;
      return reembed(api.database, model2(), { progress: (progress) => told.push(progress), failed });
    };

    test('reembed embeds every document once, except those with a client’s embedding', async () => {
      const items = Array.from({ length: 70 }, (_, n) => ({ title: 'T', content: `lake ${n}` }));
      await api.send('POST', `${path}/batch`, { token: user.token, body: { items } });
      await embed();
      const own = await make('my own', { embedding: embeddingOf('bread') });
      const done = await again();
      expect(done.left).toBe(0);
      expect(done.embedded).toBeGreaterThanOrEqual(70);
      expect(told.at(-1)).toMatchObject({ embedded: done.embedded });
      expect(told.length).toBeGreaterThan(1);
      expect(texts().filter((text) => text.includes('lake'))).toHaveLength(70);
      expect(texts().filter((text) => text.includes('my own'))).toHaveLength(0);
      expect(asked.every(({ model }) => model === 'model-2')).toBe(true);
      expect((await get(own.id)).has_embedding).toBe(true);
      expect(await again()).toEqual({ embedded: 0, left: 0 });
    });

    test('reembed changes nothing if the service does not work', async () => {
      const { id } = await make('about stone');
      await embed();
      answer = () => ({ body: { data: [{ embedding: [1, 2] }] } });
      await expect(again()).rejects.toThrow('2 dimensions');
      expect((await get(id)).has_embedding).toBe(true);
    });

    test('reembed continues after a failure', async () => {
      const items = Array.from({ length: 70 }, (_, n) => ({ title: 'T', content: `river ${n}` }));
      await api.send('POST', `${path}/batch`, { token: user.token, body: { items } });
      await embed();
      answer = () => (asked.length > 2 ? { status: 503, body: 'away' } : undefined);
      await expect(again()).rejects.toThrow('503: away');
      answer = () => undefined;
      const rest = await again();
      expect(rest.left).toBe(0);
      expect(rest.embedded).toBeGreaterThanOrEqual(38);
      expect(await again()).toEqual({ embedded: 0, left: 0 });
    });

    test('npm run db -- reembed embeds what is missing, or reports the reason', async () => {
      await make('about stone');
      const command = (env: NodeJS.ProcessEnv) =>
        runInProcess(dbCommand({ reembed: reembedding }, keptOpen(api.database)), ['reembed'], {
          env: testEnvironment(env),
        });
      expect(await command({})).toEqual({
        code: 1,
        stdout: '',
        stderr: 'EMBEDDING_URL is not set: there is no embedding service\n',
      });
      const env = { EMBEDDING_URL: url, EMBEDDING_MODEL: 'model-3' };
      expect(await command(env)).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^embedded \d+ documents with model-3\n$/),
      });
      expect((await command(env)).stdout).toBe('embedded 0 documents with model-3\n');
      answer = () => ({ status: 503, body: 'away' });
      expect(await command(env)).toMatchObject({ code: 1, stderr: expect.stringContaining('503') });
    });
  });
});
