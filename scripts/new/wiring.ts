import { readFileSync } from 'node:fs';
import type { Addition } from './insert-lines.ts';
import type { Reference } from './parts/fields.ts';
import { hasReaders } from './parts/repository.ts';
import type { Resource } from './resource.ts';

const anchor = '// Above this line `npm run new -- resource` adds its own.';
const anchorOf = (text: string) => anchor.replace(/\.$/, `: ${text}.`);

/** Returns what to add to the files of the product, file by file. */
export function wiring(resource: Resource): Map<string, Addition[]> {
  const { names, owner, isEmbedded } = resource;
  const { path, singularPath, table, plural, Plural, Singular, singular, 'Plural words': words } = names;
  const api = (file: string, line: string, imports: string[] = []): [string, Addition[]] => [
    `apps/api/src/product/${file}.ts`,
    [{ anchor, imports, line }],
  ];
  const entity = `import { ${Singular}Schema } from '../schema/${singularPath}.ts';`;
  const readers = [
    ...(hasReaders(resource) && owner.isPublic ? [`public${Singular}Routes`] : []),
    ...(owner.isReadByMembers ? [`organization${Singular}Routes`] : []),
  ];
  const readerImport = `import { ${readers.join(', ')} } from '../${path}/reader-routes.ts';`;
  const isOpen = owner.kind === 'nobody' && owner.isPublic;
  return new Map<string, Addition[]>([
    ['packages/db/src/product/entities.ts', [{ anchor, imports: [entity], line: `${Singular}Schema,` }]],
    ['packages/db/src/product/repositories.ts', repositoriesOf(resource)],
    ...(owner.kind === 'nobody'
      ? [
          [
            'packages/db/src/product/privileges.ts',
            [{ anchor: anchorOf('owned by nobody'), imports: [], line: `${table}: 'select',` }],
          ] as [string, Addition[]],
        ]
      : []),
    api('services', `${plural}: create${Plural},`, [`import { create${Plural} } from '../${path}/service.ts';`]),
    api('routes', [`${singular}Routes`, ...readers].map((name) => `${name},`).join('\n'), [
      `import { ${singular}Routes } from '../${path}/routes.ts';`,
      ...(readers.length > 0 ? [readerImport] : []),
    ]),
    api('scopes', isOpen ? `'${path}:write',` : `'${path}:read', '${path}:write',`),
    api('tags', `{ name: '${path}', description: '${words}.' },`),
    ...(isEmbedded ? [embeddingJob(resource)] : []),
  ]);
}

function repositoriesOf({ names, owner, isEmbedded }: Resource): Addition[] {
  const { path, plural, Plural, singular } = names;
  const kind = owner.kind;
  const isOwned = kind !== 'nobody';
  const imported = [
    plural,
    ...(isOwned ? [] : [`${plural}Reads`]),
    ...(isOwned && owner.isPublic ? [`public${Plural}`] : []),
    ...(owner.isReadByMembers ? [`organization${Plural}`] : []),
    ...(isEmbedded ? [`${singular}Embeddings`] : []),
  ];
  const places: [anchor: string, line: string][] = isOwned
    ? [[kind === 'user' ? 'owned by a user' : 'owned by an organization', plural]]
    : [
        ['owned by nobody', plural],
        ['owned by a user', `${plural}: ${plural}Reads`],
      ];
  if (owner.isReadByMembers) places.push(['owned by an organization', `${plural}: organization${Plural}`]);
  if (owner.isPublic)
    places.push(['read by everybody', `${plural}: ${isOwned ? `public${Plural}` : `${plural}Reads`}`]);
  if (isEmbedded) places.push(['with embeddings', `${singular}Embeddings`]);
  return places.map(([place, line], index) => ({
    anchor: anchorOf(place),
    imports: index === 0 ? [`import { ${imported.join(', ')} } from '../repositories/${path}.ts';`] : [],
    line: `${line},`,
  }));
}

const embeddingJob = ({ names }: Resource): [string, Addition[]] => [
  'apps/api/src/product/jobs.ts',
  [
    {
      anchor: '// Above this line `npm run new -- job` adds its own.',
      imports: [`import { defineRowEmbedding, type EmbeddingDependencies } from '../embeddings/row-search.ts';`],
      line: `embed${names.Plural}: (dependencies: EmbeddingDependencies) =>
    defineRowEmbedding('embed ${names['plural words']}', '${names.singular}Embeddings', dependencies),`,
    },
  ],
];

/**
 * Returns the routes of the resources that fields refer to, changed: deleting one of their rows can answer 409 `in_use`.
 *
 * @throws Error if a file does not look like a generated one
 */
export function markInUse(fields: Reference[]): Map<string, string> {
  const files = new Map<string, string>();
  for (const { target } of fields) {
    const file = `apps/api/src/${target.path}/routes.ts`;
    const text = files.get(file) ?? readFileSync(file, 'utf8');
    const [before = '', route = '', ...more] = text.split('app.delete(');
    if (/'in_use'/.test(route)) continue;
    const marked = /problems: \[/.test(route)
      ? route.replace('problems: [', `problems: ['in_use', `)
      : route.replace('isVersioned: true', `isVersioned: true, problems: ['in_use']`);
    if (more.length > 0 || marked === route)
      throw new Error(`${file}: list 'in_use' under problems of the DELETE route by hand, then run the command again`);
    files.set(file, `${before}app.delete(${marked}`);
  }
  return files;
}
