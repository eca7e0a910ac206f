import type { Load } from './tools.ts';

// Performance targets, as ratios within one run.

/** Medians of one candidate in one workload. */
export interface Row extends Load {
  work: string;
  candidate: string;
}

/** A ratio of two figures and its target. */
export interface Target {
  name: string;
  value: number | undefined;
  wanted: string;
}

/** Returns the targets with their measured values. */
export function targetsOf(rows: Row[], starts: Record<string, number>, memory: Record<string, number>): Target[] {
  const find = (work: string, candidate: string) =>
    rows.find((row) => row.work === work && row.candidate === candidate);
  const rate = (work: string, one: string, other: string) => {
    const [above, below] = [find(work, one)?.perSecond, find(work, other)?.perSecond];
    return above && below ? above / below : undefined;
  };
  const saturated = 'GET /users/me while logins saturate';
  const [beside, alone] = [find(saturated, 'beside logins')?.p99, find(saturated, 'alone')?.p99];
  const peers = ['express', 'nest', 'better-auth'] as const;
  return [
    { name: 'GET /users/me, × limit', value: rate('GET /users/me', 'quoin', 'limit'), wanted: '≥ 2' },
    ...peers.map((peer) => ({
      name: `GET /users/me, × ${peer}`,
      value: rate('GET /users/me', 'quoin', peer),
      wanted: '≥ 3',
    })),
    { name: 'task list, × limit', value: rate('task list, 20 of 200', 'quoin', 'limit'), wanted: '≥ 1' },
    { name: 'create task, × limit', value: rate('create task', 'quoin', 'limit'), wanted: '≥ 0.8' },
    { name: 'login, × bare hashing', value: rate('login', 'quoin', 'argon2'), wanted: '≥ 0.9' },
    {
      name: 'GET /users/me, p99 beside logins, × alone',
      value: beside && alone ? beside / alone : undefined,
      wanted: '≤ 3',
    },
    { name: 'refresh, × limit', value: rate('refresh', 'quoin', 'limit'), wanted: '≥ 0.8' },
    {
      name: 'page 90 % deep, time × first page',
      value: rate('page of 50 users', 'first page', '90 % deep'),
      wanted: '≤ 1.3',
    },
    { name: 'start, real PostgreSQL, s', value: (starts.quoin ?? Number.NaN) / 1000, wanted: '≤ 1' },
    { name: 'start, × bare Fastify', value: (starts.quoin ?? Number.NaN) / (starts.fastify ?? 1), wanted: '≤ 4' },
    { name: 'start, embedded, existing data, s', value: (starts.embedded ?? Number.NaN) / 1000, wanted: '≤ 2' },
    { name: 'RSS after load, MiB', value: memory.quoin, wanted: '≤ 150' },
  ].filter(({ value }) => value !== undefined && !Number.isNaN(value));
}
