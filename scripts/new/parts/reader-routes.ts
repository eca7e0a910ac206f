import { capital } from '../names.ts';
import type { Resource } from '../resource.ts';
import { listFilters } from './list.ts';
import { concurrencyOf, problemsOf, searchRouteText, throttleOf } from './route-parts.ts';

// The routes of readers who are not the owner.

/** Returns the routes of everybody, and of members. */
export function readerRoutes(resource: Resource): string {
  const { names, owner, parent, segment } = resource;
  const { Singular, Plural, path } = names;
  const under = parent ? `${parent.path}/:${parent.column}/${segment}` : segment;
  const base = { resource, parent: parent ? [`params.${parent.column}`] : [] };
  return [
    ...(owner.isPublic
      ? [
          readerRoute({
            ...base,
            prefix: 'public',
            collection: `/${under}`,
            listParams: parent ? `Public${Singular}ListParams` : '',
            itemParams: `Public${Singular}Params`,
            page: `Public${Singular}Page`,
            row: `Public${Singular}`,
            access: ['public reads', 'public lists'].map(
              (name, index) => `public: true, ${throttleOf(name, index ? 120 : 600)}`,
            ),
            summary: 'of everybody',
            who: 'For everybody.',
            names: [`list${'Public'}${Plural}`, `getPublic${Singular}`],
            methods: ['listPublic', 'getPublic'],
            first: [],
            missing: ['not_found'],
          }),
        ]
      : []),
    ...(owner.isReadByMembers
      ? [
          readerRoute({
            ...base,
            prefix: 'organization',
            collection: `/organizations/:organization_id/${under}`,
            listParams: parent ? `Organization${Singular}ListParams` : 'OrganizationParams',
            itemParams: `Organization${Singular}Params`,
            page: `${Singular}Page`,
            row: Singular,
            access: [`requiredScope: '${path}:read',`, `requiredScope: '${path}:read',`],
            summary: 'of an organization',
            who: 'For members of the organization that the owner shares them with.',
            names: [`listOrganization${Plural}`, `getOrganization${Singular}`],
            methods: ['listOfOrganization', 'getOfOrganization'],
            first: ['scope', 'params.organization_id'],
            missing: [],
          }),
        ]
      : []),
  ].join('\n');
}

interface ReaderRoute {
  resource: Resource;
  parent: string[];
  prefix: string;
  collection: string;
  listParams: string;
  itemParams: string;
  page: string;
  row: string;
  access: string[];
  summary: string;
  who: string;
  names: [list: string, get: string];
  methods: [list: string, get: string];
  first: string[];
  missing: string[];
}

function readerRoute(route: ReaderRoute): string {
  const { resource, parent, first, missing } = route;
  const { names, isEmbedded, owner } = resource;
  const { hasText, scanning } = listFilters(resource);
  const problems = [...(parent.length > 0 ? missing : []), ...(hasText ? ['query_too_expensive'] : [])];
  const words = names['plural words'];
  const isMembers = first.length > 0;
  const listHandler = [...(isMembers ? ['scope'] : []), ...(route.listParams ? ['params'] : []), 'query'].join(', ');
  return `/** ${capital(words)} ${route.summary}. ${route.who} */
export function ${route.prefix}${names.Singular}Routes(app: App, { ${names.plural} }: { ${names.plural}: ${names.Plural} }) {
  const collection = '${route.collection}';
  app.get(
    collection,
    {
      schema: {
        operationId: '${route.names[0]}',
        tags: ['${names.path}'],
        summary: 'List ${words} ${route.summary}, newest first',
        description: ${scanning.length > 0 ? `\`${route.who} \${scannedDescription}\`` : `'${route.who}'`},${route.listParams ? `\n        params: ${route.listParams},` : ''}
        querystring: ${names.Singular}Query,
        response: { 200: ${route.page} },
      },
      config: {
        ${route.access[1]}
        ${problemsOf(problems)}${hasText ? concurrencyOf(words) : ''}
      },
    },
    async ({ ${listHandler} }) => ${names.plural}.${route.methods[0]}(${[...first, ...parent, 'query'].join(', ')}),
  );

  app.get(
    \`\${collection}/:${names.singular_id}\`,
    {
      schema: {
        operationId: '${route.names[1]}',
        tags: ['${names.path}'],
        summary: 'Get ${names['a singular']} ${route.summary}',
        description: '${route.who}',
        params: ${route.itemParams},
        response: { 200: ${route.row} },
      },
      config: { ${route.access[0]} isVersioned: true, ${problemsOf(missing)} },
    },
    async ({ ${isMembers ? 'scope, ' : ''}params }) => ${names.plural}.${route.methods[1]}(${[...first, ...parent, `params.${names.singular_id}`].join(', ')}),
  );
${
  isEmbedded && owner.isPublic && !isMembers
    ? searchRouteText({
        operation: `searchPublic${names.Plural}`,
        resource,
        params: '',
        results: `Public${names.Singular}Results`,
        access: `public: true, ${throttleOf('public searches', 30)} concurrency: { name: '${words} by meaning', perUser: 2 },`,
        problems: `'embedding_unavailable', 'query_too_expensive'`,
        call: `async ({ ip, body }) => ${names.plural}.searchPublic(ip, body)`,
      })
    : ''
}}
`;
}

export function readerImports({ names, owner, parent, isEmbedded, ...resource }: Resource) {
  const { Singular } = names;
  const { scanning } = listFilters(resource);
  const isSearched = isEmbedded && owner.isPublic;
  const schemas = [
    ...(owner.isPublic ? [`Public${Singular}`, `Public${Singular}Page`, `Public${Singular}Params`] : []),
    ...(owner.isPublic && parent ? [`Public${Singular}ListParams`] : []),
    ...(isSearched ? [`Public${Singular}Results`] : []),
    ...(owner.isReadByMembers ? [Singular, `${Singular}Page`, `Organization${Singular}Params`] : []),
    ...(owner.isReadByMembers && parent ? [`Organization${Singular}ListParams`] : []),
    `${Singular}Query`,
  ];
  return {
    'reader imports': [
      ...(isSearched ? [`import { RowSearch } from '../embeddings/row-search.ts';\n`] : []),
      ...(scanning.length > 0 ? [`import { scannedDescription } from '../http/page.ts';\n`] : []),
      `import { type App${owner.isReadByMembers && !parent ? ', OrganizationParams' : ''} } from '../http/schema.ts';\n`,
      `import { ${schemas.join(', ')} } from './schemas.ts';\n`,
    ].join(''),
  };
}
