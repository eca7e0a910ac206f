import { setTimeout } from 'node:timers/promises';
import { embeddingWidth, toUnitVector, type Vector } from '@quoin/db';
import type { Config } from '../config/config.ts';
import { createTurns } from '../http/throttle/turns.ts';

// Client of the embeddings endpoint of the OpenAI API, which Ollama, TEI, vLLM and others also have.

const requestsMax = 4;
const waitingMax = 64;
const retryDelayMs = 200;
/** Every common model accepts this many characters. A longer text is cut. */
const charactersMax = 24_000;

/** The service returned no embeddings. */
export class EmbeddingError extends Error {
  override name = 'EmbeddingError';
  /** Whether a retry would fail as well. */
  readonly isPermanent: boolean;

  constructor(message: string, { isPermanent, cause }: { isPermanent: boolean; cause?: unknown }) {
    super(message, { cause });
    this.isPermanent = isPermanent;
  }
}

interface Effort {
  /** Per request. */
  timeoutMs: number;
  attemptsMax: number;
}

/** Computes embeddings, with a bounded number of concurrent requests. */
export function createEmbedder({ url, model, apiKey }: NonNullable<Config['embedding']>) {
  const endpoint = /\/embeddings\/*$/.test(url) ? url : `${url.replace(/\/+$/, '')}/embeddings`;
  const turns = createTurns(
    requestsMax,
    waitingMax,
    () => new EmbeddingError('too many texts are waiting for an embedding', { isPermanent: false }),
  );

  return {
    model,

    /** Resolves to the embedding of each text, in order. @throws EmbeddingError */
    embed: (texts: readonly string[], { timeoutMs, attemptsMax }: Effort): Promise<Vector[]> =>
      turns.take(async () => {
        for (let attempt = 1; ; attempt++) {
          try {
            return await request(texts, timeoutMs);
          } catch (error) {
            if (!(error instanceof EmbeddingError) || error.isPermanent || attempt >= attemptsMax) throw error;
            await setTimeout(retryDelayMs * 4 ** (attempt - 1));
          }
        }
      }),
  };

  async function request(texts: readonly string[], timeoutMs: number): Promise<Vector[]> {
    const { status, body } = await post({
      model,
      input: texts.map((text) => text.slice(0, charactersMax)),
      dimensions: embeddingWidth,
      encoding_format: 'float',
    }).catch((cause) => {
      throw new EmbeddingError('the embedding service does not answer', { isPermanent: false, cause });
    });
    if (status !== 200) {
      const isPermanent = status < 500 && ![401, 403, 404, 408, 429].includes(status);
      throw new EmbeddingError(`the embedding service answered ${status}: ${body.slice(0, 200)}`, { isPermanent });
    }
    return readVectors(body, texts.length);

    async function post(payload: object) {
      const response = await fetch(endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(apiKey && { authorization: `Bearer ${apiKey}` }) },
        body: JSON.stringify(payload),
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      });
      return { status: response.status, body: await response.text() };
    }
  }
}

export type Embedder = ReturnType<typeof createEmbedder>;

interface Answer {
  data?: { index?: number; embedding?: unknown }[];
}

/** Checks that there is one vector per text, of the right width, with finite numbers that are not all zero. */
function readVectors(body: string, count: number): Vector[] {
  let answer: Answer | null;
  try {
    answer = JSON.parse(body);
  } catch (cause) {
    throw new EmbeddingError('the embedding service did not answer with JSON', { isPermanent: false, cause });
  }
  const data = Array.isArray(answer?.data) ? answer.data : [];
  const embeddings: unknown[] = Array(count).fill(undefined);
  for (const [place, item] of data.entries()) embeddings[item?.index ?? place] = item?.embedding;
  if (data.length !== count) throw badAnswer(`${data.length} vectors for ${count} texts`);
  return embeddings.map((embedding) => {
    if (!Array.isArray(embedding) || !embedding.every((number) => Number.isFinite(number)))
      throw badAnswer('a vector that is not a list of numbers');
    if (embedding.length !== embeddingWidth)
      throw badAnswer(`${embedding.length} dimensions, but documents.embedding has ${embeddingWidth} (docs/search.md)`);
    const vector = toUnitVector(embedding);
    if (!vector) throw badAnswer('a vector of zeros');
    return vector;
  });
}

const badAnswer = (what: string) =>
  new EmbeddingError(`the embedding service answered with ${what}`, { isPermanent: true });
