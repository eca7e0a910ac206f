import { globSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';

// Who may import whom. Exits with 1 and a line for every import that goes where it should not.

const api = 'apps/api/src/';
// Whatever has routes is a feature; mail has none, and is one.
const features = [...globSync(`${api}*/routes.ts`).map((path) => posix.basename(posix.dirname(path))), 'mail'];

interface Import {
  from: string;
  to: string;
  isType: boolean;
}

const rules: [rule: string, isBroken: (one: Import) => boolean][] = [
  [
    'the database package knows nothing of HTTP',
    ({ from, to }) => from.startsWith('packages/') && /^(apps\/|@quoin\/api|fastify|@fastify\/)/.test(to),
  ],
  [
    'a repository knows the tables, and its statements',
    ({ from, to }) =>
      from.includes('/repositories/') &&
      !from.endsWith('.test.ts') &&
      !/^(kysely|uuid)$|\/repositories\/|\/(tables|vector)\.ts$/.test(to),
  ],
  [
    'a service knows nothing of HTTP',
    ({ from, to }) => from.endsWith('/service.ts') && /^(fastify|@fastify\/)|\/routes\.ts$|\/plugins\//.test(to),
  ],
  [
    'a route has no query',
    ({ from, to, isType }) =>
      from.endsWith('/routes.ts') && to === '@quoin/db' && !isType && !from.includes('/health/'),
  ],
  [
    'a feature is given another feature’s service by app.ts, and knows no more of it than its type',
    ({ from, to, isType }) => {
      const [own, other] = [featureOf(from), featureOf(to)];
      return Boolean(own && other && own !== other) && (!isType || /\/(routes|schemas)\.ts$/.test(to));
    },
  ],
  [
    'what features share knows no feature',
    ({ from, to }) =>
      /^apps\/api\/src\/(account|client|log-destination|request-log|config|email|errors|jobs|owner|page|schema|session-lifetime|signing-key|throttle-store|redis-throttle-store|hmac|turns)\.ts$/.test(
        from,
      ) && featureOf(to) !== undefined,
  ],
  [
    'http knows no feature',
    ({ from, to }) => from.startsWith(`${api}http/`) && !from.endsWith('.test.ts') && featureOf(to) !== undefined,
  ],
  [
    'a package is imported by its name',
    ({ from, to }) => to.startsWith('packages/') && !from.startsWith('packages/') && !from.startsWith('vitest'),
  ],
];

const featureOf = (path: string) => features.find((feature) => path.startsWith(`${api}${feature}/`));

const broken: string[] = [];
for (const from of globSync('{packages,apps,e2e,bench,scripts}/**/*.ts', { exclude: ['**/node_modules/**'] })) {
  const text = readFileSync(from, 'utf8');
  if (/process\.env\b/.test(text) && !/(config|cli|testing|server|tracing)\.ts$|(scripts|bench|e2e)\//.test(from))
    broken.push(`${from}: reads the environment, which config.ts does`);
  for (const [, type, path = ''] of text.matchAll(/^(?:import|export)\s+(type\s)?[^;'"]*?from\s+'([^']+)'/gm)) {
    const to = path.startsWith('.') ? posix.join(posix.dirname(from), path) : path;
    for (const [rule, isBroken] of rules) {
      if (isBroken({ from, to, isType: Boolean(type) })) broken.push(`${from} imports ${to}: ${rule}`);
    }
  }
}

process.stdout.write(broken.length > 0 ? `${broken.join('\n')}\n` : 'every import goes where it may\n');
process.exitCode = broken.length > 0 ? 1 : 0;
