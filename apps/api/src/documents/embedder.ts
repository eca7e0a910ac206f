import { embeddingWidth, toUnitVector, type Vector } from '@quoin/db';
import type { Config } from '../config/config.ts';
import { createTurns } from '../passwords/turns.ts';

// The embeddings endpoint of OpenAI's API, which Ollama, TEI, vLLM and others have as well.

const atOnceMax = 4;
const waitingMax = 64;
const retryMs = 200;
/** What every model of this kind takes; a longer text is embedded by its beginning. */
const charactersMax = 24_000;

/** Texts got no vectors. `isLasting`: nor will they the next time. */
export class EmbeddingError extends Error {
  override name = 'EmbeddingError';
  readonly isLasting: boolean;

  constructor(message: string, { isLasting, cause }: { isLasting: boolean; cause?: unknown }) {
    super(message, { cause });
    this.isLasting = isLasting;
  }
}

interface Effort {
  /** For one request. */
  timeoutMs: number;
  tries: number;
}

/** Turns texts into vectors, a bounded number of requests at once. */
export function createEmbedder({ url, model, apiKey }: NonNullable<Config['embedding']>) {
  const endpoint = /\/embeddings\/*$/.test(url) ? url : `${url.replace(/\/+$/, '')}/embeddings`;
  const turns = createTurns(
    atOnceMax,
    waitingMax,
    () => new EmbeddingError('too many texts wait to be embedded', { isLasting: false }),
  );

  return {
    model,

    /**
     * The vector of each text, in their order.
     *
     * @throws EmbeddingError
     */
    embed: (texts: readonly string[], { timeoutMs, tries }: Effort): Promise<Vector[]> =>
      turns.take(async () => {
        for (let attempt = 1; ; attempt++) {
          try {
            return await request(texts, timeoutMs);
          } catch (error) {
            if (!(error instanceof EmbeddingError) || error.isLasting || attempt >= tries) throw error;
            await new Promise((resolve) => setTimeout(resolve, retryMs * 4 ** (attempt - 1)));
          }
        }
      }),
  };

  async function request(texts: readonly string[], timeoutMs: number): Promise<Vector[]> {
    const input = texts.map((text) => text.slice(0, charactersMax));
    let status: number;
    let body: string;
    try {
      const response = await fetch(endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(apiKey && { authorization: `Bearer ${apiKey}` }) },
        body: JSON.stringify({ model, input, dimensions: embeddingWidth, encoding_format: 'float' }),
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      });
      status = response.status;
      body = await response.text();
    } catch (cause) {
      throw new EmbeddingError('the embedding service does not answer', { isLasting: false, cause });
    }
    if (status !== 200) {
      const isLasting = status < 500 && ![401, 403, 404, 408, 429].includes(status);
      throw new EmbeddingError(`the embedding service answered ${status}: ${body.slice(0, 200)}`, { isLasting });
    }
    return readVectors(body, texts.length);
  }
}

export type Embedder = ReturnType<typeof createEmbedder>;

interface Answer {
  data?: { index?: number; embedding?: unknown }[];
}

/** What came is not trusted: as many vectors as texts, each of our width, of finite numbers that are not all zero. */
function readVectors(body: string, count: number): Vector[] {
  let answer: Answer | null;
  try {
    answer = JSON.parse(body);
  } catch (cause) {
    throw new EmbeddingError('the embedding service did not answer with JSON', { isLasting: false, cause });
  }
  const data = Array.isArray(answer?.data) ? answer.data : [];
  const embeddings: unknown[] = Array(count).fill(undefined);
  for (const [place, item] of data.entries()) embeddings[item?.index ?? place] = item?.embedding;
  if (data.length !== count) refuse(`${data.length} vectors for ${count} texts`);
  return embeddings.map((embedding) => {
    if (!Array.isArray(embedding) || !embedding.every((number) => Number.isFinite(number)))
      return refuse('what is no list of numbers');
    if (embedding.length !== embeddingWidth)
      return refuse(`${embedding.length} numbers: documents.embedding has ${embeddingWidth} (docs/search.md)`);
    return toUnitVector(embedding) ?? refuse('a vector of zeros');
  });
}

function refuse(what: string): never {
  throw new EmbeddingError(`the embedding service answered with ${what}`, { isLasting: true });
}
