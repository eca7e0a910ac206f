import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { send, type startServer } from '../e2e/server.ts';

// A hostile client, a bystander, and what one costs the server and the other.

const cpuSecondsMax = { anonymous: 0.1, 'signed in': 0.5 };
export const bystanderMsMax = 500;
const kibibyte = 1024;
export const password = 'correct horse battery';
const ticksPerSecond = 100;

interface Call {
  path: string;
  method?: string;
  token?: string | undefined;
  body?: string;
  address?: string;
  /** For paths outside of the prefix. */
  origin?: boolean;
}

interface Row {
  attack: string;
  requests: number;
  statuses: string;
  'CPU-s each': number;
  'slowest, ms': number;
  'bystander, ms': number;
  'peak, MiB': number;
  isWithinBounds: boolean;
}
const nothing = {
  statuses: '',
  'CPU-s each': Number.NaN,
  'slowest, ms': Number.NaN,
  'bystander, ms': Number.NaN,
  'peak, MiB': Number.NaN,
  isWithinBounds: false,
};

/** Signs up a bystander. Returns functions that send requests and measure them. */
export async function createHostileClient(server: Awaited<ReturnType<typeof startServer>>) {
  const api = `${server.url}/api/v1`;
  let nextAddress = 0;
  const newAddress = () => `198.18.${Math.floor(++nextAddress / 250)}.${nextAddress % 250}`;

  /** Sends bytes as JSON. Resolves to the status, or 0 if the connection broke. */
  async function post({
    path,
    method = 'POST',
    token,
    body,
    address = '198.18.255.1',
    origin = false,
  }: Call): Promise<number> {
    const headers = {
      'content-type': 'application/json',
      'x-forwarded-for': address,
      ...(token && { authorization: `Bearer ${token}` }),
    };
    return fetch((origin ? server.url : api) + path, { method, headers, ...(body && { body }) }).then(
      async (response) => {
        await response.arrayBuffer();
        return response.status;
      },
      () => 0,
    );
  }

  async function signUp(address: string) {
    const account = { email: `${randomUUID()}@example.com`, password };
    await post({ path: '/auth/register', body: JSON.stringify(account), address });
    const headers = { 'content-type': 'application/json', 'x-forwarded-for': address };
    const response = await fetch(`${api}/auth/login`, { method: 'POST', headers, body: JSON.stringify(account) });
    const { access_token: token } = await response.json();
    return { ...account, token: token as string };
  }

  /** User and system time of the server, of all its threads, in seconds: fields 14 and 15 of proc_pid_stat(5). */
  function cpuSeconds(): number {
    const afterName = readFileSync(`/proc/${server.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(afterName[11]) + Number(afterName[12])) / ticksPerSecond;
  }

  const peakMebibytes = () =>
    Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) / kibibyte);

  const rows: Row[] = [];
  /** Sends requests at the same time, and reads the bystander's account meanwhile. */
  async function attack(name: string, who: keyof typeof cpuSecondsMax, calls: readonly Call[], times = 1) {
    let isOver = false;
    let bystanderMs = 0;
    const ask = async () => {
      const begun = performance.now();
      const isAnswered = await send(`${api}/users/me`, { token: bystander.token }).then(
        ({ status }) => status === 200,
        () => false,
      );
      return isAnswered ? performance.now() - begun : Number.POSITIVE_INFINITY;
    };
    let asked = 0;
    const watch = async () => {
      while (!isOver) {
        asked += 1;
        bystanderMs = Math.max(bystanderMs, await ask());
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    const watching = watch();
    const before = cpuSeconds();
    let slowestMs = 0;
    const statuses = new Map<number, number>();
    for (let time = 0; time < times; time++) {
      await Promise.all(
        calls.map(async (call) => {
          const begun = performance.now();
          const status = await post(call);
          slowestMs = Math.max(slowestMs, performance.now() - begun);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }),
      );
    }
    const requests = calls.length * times;
    const isDead = await Promise.race([
      server.exited.then(() => true),
      new Promise((resolve) => setTimeout(resolve, 100)),
    ]);
    if (isDead) {
      isOver = true;
      await watching;
      rows.push({ ...nothing, attack: `${name}: the server died`, requests });
      throw new Error(`the server died of: ${name}`);
    }
    const each = Math.max(0, cpuSeconds() - before - asked * bystanderCpuSeconds) / requests;
    isOver = true;
    await watching;
    rows.push({
      attack: name,
      requests,
      statuses: [...statuses].map(([status, count]) => `${status} × ${count}`).join(', '),
      'CPU-s each': Number(each.toFixed(3)),
      'slowest, ms': Math.round(slowestMs),
      'bystander, ms': Math.round(bystanderMs),
      'peak, MiB': peakMebibytes(),
      isWithinBounds: each <= cpuSecondsMax[who] && bystanderMs <= bystanderMsMax,
    });
  }

  const bystander = await signUp(newAddress());
  const bystanderCpuSeconds = await costOfBystander();
  return { attack, bystander, newAddress, peakMebibytes, post, rows, signUp };

  /** Cost of one request of the bystander, to subtract from that of an attack. */
  async function costOfBystander(): Promise<number> {
    const requests = 500;
    const before = cpuSeconds();
    for (let n = 0; n < requests; n++) await send(`${api}/users/me`, { token: bystander.token });
    return (cpuSeconds() - before) / requests;
  }
}
