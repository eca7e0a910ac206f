import { hash } from 'node:crypto';
import { createServer } from 'node:http';

const width = 768;

/** Starts a server with OpenAI's embeddings protocol, in which texts with the same words are near to each other. */
export async function startEmbeddingService() {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { input } = JSON.parse(Buffer.concat(chunks).toString()) as { input: string[] };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ data: input.map((text, index) => ({ index, embedding: embeddingOf(text) })) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}/v1`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** One dimension per word. */
function embeddingOf(text: string): number[] {
  const vector = Array<number>(width).fill(0);
  for (const word of text.toLowerCase().match(/\w+/g) ?? ['']) {
    const axis = hash('sha256', word, 'buffer').readUInt32BE() % width;
    vector[axis] = (vector[axis] ?? 0) + 1;
  }
  return vector;
}
