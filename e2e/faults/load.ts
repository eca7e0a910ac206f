import { randomUUID } from 'node:crypto';
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
  /** Failed writes, all of which are sent again with their Idempotency-Key at the end. */
  'writes repeated'?: number;
  /** Of these, those that had happened. */
  'had happened'?: number;
  /** Writes that took effect twice. */
  doubled?: number;
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
  const unanswered: string[] = [];
  const withoutRetryAfter: string[] = [];
  let requests = 0;
  let lastFailureAt = 0;
  let isOver = false;

  const ask = (method: string, title?: string) =>
    new Promise<Answer>((resolve, reject) => {
      const keyed = title === undefined ? headers : { ...headers, 'idempotency-key': title };
      const options = { agent, method, headers: keyed, timeout: 60_000 };
      const asked = request(`${url}/api/v1/users/me/tasks`, options, (response) => {
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
      asked.end(title === undefined ? undefined : JSON.stringify({ title }));
    });
  const fail = (kind: string) => {
    failures[kind] = (failures[kind] ?? 0) + 1;
    lastFailureAt = performance.now();
  };
  const client = async (number: number) => {
    for (let n = 0; !isOver; n++) {
      const isWrite = (n + number) % 2 === 0;
      const title = randomUUID();
      const answer = await (isWrite ? ask('POST', title) : ask('GET')).catch(() => undefined);
      requests += 1;
      if (!answer) fail('network');
      else if (answer.status >= 300) {
        fail(String(answer.status));
        if (answer.status === 503 && !answer.retryAfter) withoutRetryAfter.push(answer.body);
      } else if (isWrite) acknowledged.push(JSON.parse(answer.body).id);
      if (isWrite && answer?.status !== 201) unanswered.push(title);
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
    unanswered: () => unanswered,
    stop: async () => {
      isOver = true;
      await Promise.all(all);
      agent.destroy();
    },
  };
}

export type Load = ReturnType<typeof startLoad>;

/** Returns the titles of all tasks by id. */
async function allTasks(url: string, token: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query = `limit=200${cursor && `&cursor=${cursor}`}`;
    const page: { items: { id: string; title: string }[]; next_cursor: string | null } = (
      await send(`${url}/api/v1/users/me/tasks?${query}`, { token })
    ).body;
    for (const { id, title } of page.items) found.set(id, title);
    cursor = page.next_cursor;
  }
  return found;
}

/** Stops the load and adds a line to the table. Returns the load. */
export async function finish(
  fault: string,
  load: Load,
  { url, token, since }: { url: string; token: string; since?: number },
): Promise<Row> {
  await load.stop();
  const acknowledged = load.acknowledged();
  let happened = 0;
  for (const title of load.unanswered()) {
    const headers = { 'idempotency-key': title };
    const repeated = await send(`${url}/api/v1/users/me/tasks`, { body: { title }, token, headers });
    if (repeated.headers.get('idempotent-replayed')) happened += 1;
  }
  const tasks = await allTasks(url, token);
  const row = {
    fault,
    requests: load.requests(),
    failures: load.failures,
    'seconds to recover': since === undefined ? null : load.secondsToRecover(since),
    'writes acknowledged': acknowledged.length,
    'writes found': acknowledged.filter((id) => tasks.has(id)).length,
    'writes repeated': load.unanswered().length,
    'had happened': happened,
    doubled: tasks.size - new Set(tasks.values()).size,
  };
  rows.push(row);
  return row;
}
