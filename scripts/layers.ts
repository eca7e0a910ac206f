import { globSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';

// Checks which folder imports which. Exits with 1 and a line for every violation.

/**
 * Layers of the API, lowest first. A file imports from its own layer and from earlier layers in this list. A feature imports only types from
 * another feature.
 */
const rooms: [room: string, files: RegExp][] = [
  ['http', /^(http\/|product\/(errors|tags)\.ts)/],
  ['config', /^config\/|^product\/config\.ts/],
  ['job queue', /^queue\/(?!run-jobs)/],
  [
    'passwords, mail, embeddings and webhooks of others',
    /^(passwords|mail|embeddings|incoming-webhooks)\/|^product\/mails\.ts/,
  ],
  ['users', /^users\//],
  ['auth', /^auth\/|^product\/scopes\.ts/],
  ['features', /^(?!process\/|commands\/|queue\/|product\/)[a-z-]+\/(kinds\/)?[a-z-]+\.ts$/],
  ['product', /^product\//],
  ['background', /^(process\/(metrics|tracing|open-database|explain|workers)|queue\/run-jobs)\.ts$/],
  ['services.ts', /^services\.ts$/],
  ['app.ts', /^app\.ts$/],
  ['entry', /^(process\/server\.ts|main\.js|commands\/)/],
];
interface Import {
  from: string;
  to: string;
  isType: boolean;
}

const api = 'apps/api/src/';
const rules: [rule: string, isViolated: (one: Import) => boolean][] = [
  [
    'packages import nothing of the API and no HTTP framework',
    ({ from, to }) => from.startsWith('packages/') && /^(apps\/|@quoin\/api|fastify|@fastify\/)/.test(to),
  ],
  [
    'schema/ imports nothing of the rest of the package',
    ({ from, to }) =>
      from.startsWith('packages/db/src/schema/') &&
      !/^(@mikro-orm\/core|kysely)$|\/schema\/|\/product\/(entities|privileges)/.test(to),
  ],
  [
    'a repository imports Kysely, the schema and other repositories',
    ({ from, to }) =>
      from.includes('/repositories/') &&
      !/^kysely$|\/new-id\.ts$|\/(repositories|product|schema)\/|\/scope\.ts$/.test(to),
  ],
  [
    'only migrate/entity-difference.ts and the entities load MikroORM',
    ({ from, to, isType }) =>
      to.startsWith('@mikro-orm/') && !isType && !/migrate\/entity-difference\.ts$|\/schema\//.test(from),
  ],
  [
    'a service imports no HTTP framework and no routes',
    ({ from, to }) => from.endsWith('/service.ts') && /^(fastify|@fastify\/)|\/routes\.ts$/.test(to),
  ],
  [
    'routes contain no queries',
    ({ from, to, isType }) =>
      from.endsWith('/routes.ts') && to === '@quoin/db' && !isType && !from.includes('/health/'),
  ],
  [
    'a folder imports only what is below it',
    ({ from, to }) => {
      const [own, other] = [roomOf(from), roomOf(to)];
      return own !== undefined && other !== undefined && other > own;
    },
  ],
  [
    'a feature imports of another feature the type of its service only',
    ({ from, to, isType }) => {
      const [own, other] = [featureOf(from), featureOf(to)];
      return own !== undefined && other !== undefined && own !== other && !(isType && to.endsWith('/service.ts'));
    },
  ],
  [
    'other workspaces are imported by their package name',
    ({ from, to }) => to.startsWith('packages/') && !from.startsWith('packages/') && !from.startsWith('vitest'),
  ],
];

function roomOf(path: string): number | undefined {
  if (!path.startsWith(api)) return undefined;
  const file = path.slice(api.length);
  const index = rooms.findIndex(([, files]) => files.test(file));
  return index < 0 ? undefined : index;
}

/** The folder of a feature. */
function featureOf(path: string): string | undefined {
  const room = roomOf(path);
  return room !== undefined && rooms[room]?.[0] === 'features' ? path.slice(api.length).split('/')[0] : undefined;
}

const violations: string[] = [];
const imports = new Map<string, Import[]>();
const environmentReaders = /(^|\/)(config|cli|testing|process|scripts|bench|e2e)\//;
const files = globSync('{packages,apps,e2e,bench,scripts}/**/*.{ts,js}', {
  exclude: ['**/node_modules/**', 'bench/peers/**'],
});
for (const from of files) {
  const text = readFileSync(from, 'utf8');
  const isTest = /\.test\.ts$/.test(from);
  if (/process\.env\b/.test(text) && !environmentReaders.test(from) && !from.endsWith('/command.ts'))
    violations.push(`${from}: only config/ reads the environment`);
  if (from.startsWith(api) && !isTest && roomOf(from) === undefined)
    violations.push(`${from}: belongs to no layer: add its folder to scripts/layers.ts`);
  if (/userSessions\.create\(/.test(text) && from.startsWith(api) && !isTest && !from.endsWith('auth/begin-session.ts'))
    violations.push(`${from}: only auth/begin-session.ts creates sessions`);
  const own = [...text.matchAll(/^(?:import|export)\s+(type\s)?[^;'"]*?from\s+'([^']+)'/gm)].map(
    ([, type, path = '']) => ({
      from,
      to: path.startsWith('.') ? posix.join(posix.dirname(from), path) : path,
      isType: Boolean(type),
    }),
  );
  if (isTest) continue;
  imports.set(from, own);
  for (const one of own)
    for (const [rule, isViolated] of rules)
      if (isViolated(one)) violations.push(`${one.from} imports ${one.to}: ${rule}`);
}
for (const circle of circlesOf(imports)) violations.push(`a circle of imports: ${circle.join(' -> ')}`);

process.stdout.write(violations.length > 0 ? `${violations.join('\n')}\n` : `${files.length} files keep the layers\n`);
process.exitCode = violations.length > 0 ? 1 : 0;

/** Returns the import cycles between files. */
function circlesOf(graph: Map<string, Import[]>): string[][] {
  const circles: string[][] = [];
  const done = new Set<string>();
  const visit = (file: string, path: string[]) => {
    const start = path.indexOf(file);
    if (start >= 0) circles.push([...path.slice(start), file]);
    if (start >= 0 || done.has(file)) return;
    for (const { to } of graph.get(file) ?? []) if (graph.has(to)) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return circles;
}
