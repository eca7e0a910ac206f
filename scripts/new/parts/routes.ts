import { capital } from '../names.ts';
import type { Resource } from '../resource.ts';
import { uniques } from './fields.ts';
import { listFilters } from './list.ts';
import { hasReaders } from './repository.ts';

const throttleOf = (name: string, rate: number) =>
  `throttle: { name: '${name}', address: { burst: ${rate}, perMinute: ${rate} } },`;

/** Returns the parts of the routes' templates. */
export function routeParts(resource: Resource): Record<string, string> {
  const { names, owner, parent, isEmbedded, segment, sorts } = resource;
  const { Singular, path } = names;
  const { kind, isPublic, isWrittenByAdmins, column } = owner;
  const { hasText } = listFilters(resource);
  const duplicate = uniques(resource.fields).length > 0 ? ['already_exists'] : [];
  const refusal = kind === 'user' ? ['forbidden'] : [];
  // Every route of an organization can answer 404.
  const missing = kind === 'organization' ? [] : ['not_found'];
  const missingParent = parent ? missing : [];
  const isGuests = kind === 'nobody' && isPublic;
  const access = {
    user: `requiredScope: '${path}:write',`,
    organization: `requiredScope: '${path}:write',${isWrittenByAdmins ? ` organizationRole: 'admin',` : ''}`,
    nobody: `admin: true, requiredScope: '${path}:write',`,
  }[kind];
  const ownerArguments = [...(column ? [`params.${column}`] : []), ...(parent ? [`params.${parent.column}`] : [])];
  const readerScope = isGuests ? [] : ['scope'];
  const used = (...parts: string[]) => `{ ${parts.join(', ')} }`;
  const listParams = parent
    ? `${Singular}ListParams`
    : { user: 'OwnerParams', organization: 'OrganizationParams', nobody: '' }[kind];
  const problems = [...refusal, ...missingParent, ...(hasText ? ['query_too_expensive'] : [])];
  return {
    collection: collectionOf(resource),
    'list params': listParams ? `        params: ${listParams},\n` : '',
    'schema import': ['type App', ...(parent || kind === 'nobody' ? [] : [listParams])].join(', '),
    'schema names': [
      `New${Singular}`,
      Singular,
      `${Singular}Changes`,
      `${Singular}Page`,
      `${Singular}Params`,
      `${Singular}Query`,
      ...(parent ? [`${Singular}ListParams`] : []),
      ...(isEmbedded ? [`${Singular}Results`] : []),
    ].join(', '),
    'search route import': isEmbedded ? `import { RowSearch } from '../embeddings/row-search.ts';\n` : '',
    'write access': access,
    'read access': isGuests ? `public: true, ${throttleOf('public reads', 600)}` : `requiredScope: '${path}:read',`,
    // A list with filters looks at thousands of rows.
    'list access': isGuests ? `public: true, ${throttleOf('public lists', 120)}` : `requiredScope: '${path}:read',`,
    'owner location': locationOf(resource),
    'location keys': [...(column ? [column] : []), ...(parent ? [parent.column] : []), 'id'].join(', '),
    'owner kind': kind,
    'other owners': kind === 'user' ? 'other users' : 'other organizations',
    ...listDescription(resource),
    'list problems': `${problemsOf(problems)}${hasText && !isGuests ? concurrencyOf(names['plural words']) : ''}`,
    'item problems': problemsOf([...refusal, ...missing]),
    'create problems': problemsOf([...refusal, ...(kind === 'nobody' ? missingParent : missing), ...duplicate]),
    'update problems': problemsOf([...refusal, ...missing, ...duplicate]),
    'list handler': used(...readerScope, ...(ownerArguments.length > 0 ? ['params'] : []), 'query'),
    'list arguments': [...readerScope, ...ownerArguments, 'query'].join(', '),
    'create handler': used('scope', ...(ownerArguments.length > 0 ? ['params'] : []), 'body'),
    'create arguments': ['scope', ...ownerArguments, 'body'].join(', '),
    'get handler': used(...readerScope, 'params'),
    'get arguments': [...readerScope, ...ownerArguments, `params.${names.singular_id}`].join(', '),
    'item arguments': ['scope', ...ownerArguments, `params.${names.singular_id}`].join(', '),
    'Reads explained': isPublic ? 'For everybody.' : 'For all who are signed in.',
    'search route': isEmbedded ? searchRoute(resource) : '',
    'order words': sorts.length > 0 ? 'newest first, or in the order of `sort`' : 'newest first',
    segment,
    'reader routes': hasReaders(resource) ? readerRoutes(resource) : '',
    ...readerImports(resource),
  };
}

const problemsOf = (codes: string[]) =>
  codes.length > 0 ? `problems: [${codes.map((code) => `'${code}'`).join(', ')}],` : '';

const concurrencyOf = (words: string) => `
        // Looks at thousands of rows.
        concurrency: { name: '${words} by text', perUser: 2, when: ({ query }) => 'q' in (query as object) },`;

function listDescription(resource: Resource) {
  const { scanning } = listFilters(resource);
  return {
    'page import': scanning.length > 0 ? `import { scannedDescription } from '../http/page.ts';\n` : '',
    'list description': `        description: ${scanning.length > 0 ? 'scannedDescription' : "'A page at a time: `next_cursor` is the cursor of the next one.'"},\n`,
  };
}

const collectionOf = ({ owner, parent, segment }: Resource) => {
  if (parent) return `${parent.collection}/:${parent.column}/${segment}`;
  return owner.kind === 'nobody' ? `/${segment}` : `/${owner.kind}s/:${owner.column}/${segment}`;
};

/** Returns the path of a row, with its columns, as the inside of a template. */
const locationOf = (resource: Resource) =>
  `${collectionOf(resource).replace(/:(\w+)/g, (_, name: string) => `\${${name}}`)}/\${id}`;

function searchRoute(resource: Resource): string {
  const { names, owner, parent } = resource;
  const isGuests = owner.kind === 'nobody' && owner.isPublic;
  const access = isGuests
    ? `public: true, ${throttleOf('public searches', 30)}`
    : `requiredScope: '${names.path}:read', concurrency: { name: '${names['plural words']} by meaning', perUser: 2 },`;
  const refusal = owner.kind === 'user' ? [`'forbidden', `] : [];
  const listParams = parent ? '' : { user: 'OwnerParams', organization: 'OrganizationParams', nobody: '' }[owner.kind];
  const caller = isGuests ? 'ip' : 'scope';
  const handler = [caller, ...(owner.column ? ['params'] : []), 'body'].join(', ');
  const args = [caller, ...(owner.column ? [`params.${owner.column}`] : []), 'body'].join(', ');
  return searchRouteText({
    operation: `search${names.Plural}`,
    resource,
    params: listParams ? `\n        params: ${listParams},` : '',
    results: `${names.Singular}Results`,
    access,
    problems: `${refusal.join('')}'embedding_unavailable', 'query_too_expensive'`,
    call: `async ({ ${handler} }) => ${names.plural}.search(${args})`,
  });
}

interface SearchRoute {
  operation: string;
  resource: Resource;
  params: string;
  results: string;
  access: string;
  problems: string;
  call: string;
}

const searchRouteText = ({ operation, resource, params, results, access, problems, call }: SearchRoute) => `
  app.post(
    \`\${collection}/search\`,
    {
      schema: {
        operationId: '${operation}',
        tags: ['${resource.names.path}'],
        summary: 'Search ${resource.names['plural words']} by meaning',
        description: 'Nearest first. A new row is found once a job has computed its embedding.',${params}
        body: RowSearch,
        response: { 200: ${results} },
      },
      config: { ${access} isReadOnly: true, problems: [${problems}] },
    },
    ${call},
  );
`;

/** Returns the routes of those who only read. */
function readerRoutes(resource: Resource): string {
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
        ${problemsOf(problems)}${hasText && isMembers ? concurrencyOf(words) : ''}
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
        access: `public: true, ${throttleOf('public searches', 30)}`,
        problems: `'embedding_unavailable', 'query_too_expensive'`,
        call: `async ({ ip, body }) => ${names.plural}.searchPublic(ip, body)`,
      })
    : ''
}}
`;
}

function readerImports({ names, owner, parent, isEmbedded, ...resource }: Resource) {
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
