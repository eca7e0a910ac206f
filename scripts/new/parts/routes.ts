import type { Resource } from '../resource.ts';
import { uniques } from './fields.ts';
import { listFilters } from './list.ts';
import { readerImports, readerRoutes } from './reader-routes.ts';
import { hasReaders } from './repository.ts';
import { concurrencyOf, problemsOf, searchRouteText, throttleOf } from './route-parts.ts';

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
    'list problems': `${problemsOf(problems)}${hasText ? concurrencyOf(names['plural words']) : ''}`,
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
    : `requiredScope: '${names.path}:read',`;
  const limit = `concurrency: { name: '${names['plural words']} by meaning', perUser: 2 },`;
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
    access: `${access} ${limit}`,
    problems: `${refusal.join('')}'embedding_unavailable', 'query_too_expensive'`,
    call: `async ({ ${handler} }) => ${names.plural}.search(${args})`,
  });
}
