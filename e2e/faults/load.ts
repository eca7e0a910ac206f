import { Agent, request } from 'node:http';
import { send } from '../server.ts';

// Clients that write and read tasks continuously and record the responses.

export const password = 'correct horse battery';

interface Answer {
  status: number;
  retryAfter: string | undefined;
  body: string;
}

export interface Row {
  fault: string;
  requests: number;
  /** Failed requests by status; `network` if there was no response. */
  failures: Record<string, number>;
  'seconds to recover': number | null;
  'writes acknowledged': number;
  'writes found': number;
}

export const rows: Row[] = [];

export async function signUp(url: string, email: string): Promise<string> {
  const account = { email, password };
  await send(`${url}/api/v1/auth/register`, { body: account });
  return (await send(`${url}/api/v1/auth/login`, { body: account })).body.access_token;
}

/** Starts clients that run until `stop`. */
export function startLoad(url: string, token: string, { clients = 16 } = {}) {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const acknowledged: string[] = [];
  const failures: Record<string, number> = {};
  const withoutRetryAfter: string[] = [];
  let requests = 0;
  let lastFailureAt = 0;
  let isOver = false;

  const ask = (method: string, body?: string) =>
    new Promise<Answer>((resolve, reject) => {
      const asked = request(`${url}/api/v1/users/me/tasks`, { agent, method, headers, timeout: 60_000 }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'], body: text }),
        );
        response.on('error', reject);
      });
      asked.on('error', reject).on('timeout', () => asked.destroy(new Error('no answer within a minute')));
      asked.end(body);
    });
  const fail = (kind: string) => {
    failures[kind] = (failures[kind] ?? 0) + 1;
    lastFailureAt = performance.now();
  };
  const client = async (number: number) => {
    for (let n = 0; !isOver; n++) {
      const isWrite = (n + number) % 2 === 0;
      const answer = await ask(
        isWrite ? 'POST' : 'GET',
        isWrite ? JSON.stringify({ title: `${number} ${n}` }) : undefined,
      ).catch(() => undefined);
      requests += 1;
      if (!answer) fail('network');
      else if (answer.status >= 300) {
        fail(String(answer.status));
        if (answer.status === 503 && !answer.retryAfter) withoutRetryAfter.push(answer.body);
      } else if (isWrite) acknowledged.push(JSON.parse(answer.body).id);
      // A rejected client waits before its next request.
      if (!answer || answer.status >= 300) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const all = Array.from({ length: clients }, (_, number) => client(number));

  return {
    failures,
    withoutRetryAfter,
    requests: () => requests,
    /** Seconds from a time of `performance.now()` to the last failure after it; 0 if there was none. */
    secondsToRecover: (since: number) => Math.max(0, Math.round(lastFailureAt - since) / 1000),
    acknowledged: () => acknowledged,
    stop: async () => {
      isOver = true;
      await Promise.all(all);
      agent.destroy();
    },
  };
}

export type Load = ReturnType<typeof startLoad>;

/** Counts the acknowledged writes that exist. */
export async function countFound(url: string, token: string, acknowledged: readonly string[]): Promise<number> {
  const found = new Set<string>();
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query = `limit=200${cursor && `&cursor=${cursor}`}`;
    const page: { items: { id: string }[]; next_cursor: string | null } = (
      await send(`${url}/api/v1/users/me/tasks?${query}`, { token })
    ).body;
    for (const { id } of page.items) found.add(id);
    cursor = page.next_cursor;
  }
  return acknowledged.filter((id) => found.has(id)).length;
}

/** Stops the load and adds a line to the table. Returns the load. */
export async function finish(
  fault: string,
  load: Load,
  { url, token, since }: { url: string; token: string; since?: number },
): Promise<Row> {
  await load.stop();
  const acknowledged = load.acknowledged();
  const row = {
    fault,
    requests: load.requests(),
    failures: load.failures,
    'seconds to recover': since === undefined ? null : load.secondsToRecover(since),
    'writes acknowledged': acknowledged.length,
    'writes found': await countFound(url, token, acknowledged),
  };
  rows.push(row);
  return row;
}
