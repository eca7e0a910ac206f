import type { Resource } from '../resource.ts';
import { uniques } from './fields.ts';
import { listFilters } from './list.ts';
import { hasReaders } from './repository.ts';

/** Returns the parts of the service's templates. */
export function serviceParts(resource: Resource): Record<string, string> {
  const { names, owner, parent, isEmbedded } = resource;
  const { Singular } = names;
  const duplicates = uniques(resource.fields).map(({ name }) => `uq_${names.table}_${name}: '${name}'`);
  const parentArgument = parent ? `${parent.singular}Id, ` : '';
  const reads = owner.isPublic ? 'database.public()' : 'database.as(scope)';
  const unit = owner.kind === 'nobody' ? reads : 'database.as(owner)';
  const isShared = hasReaders(resource);
  const write = owner.kind === 'nobody' ? 'database.system(scope)' : `ownedBy(scope, ${owner.variable})`;
  const method = owner.kind === 'nobody' || isEmbedded ? 'transaction' : 'effect';
  const ofParent = parent ? ` of \${${parent.singular}Id}` : '';
  const ofOwner = owner.kind === 'organization' ? 'owner.owner.organizationId' : 'owner.owner.userId';
  const listName =
    owner.kind === 'nobody'
      ? parent
        ? `\`${names['plural words']}${ofParent}\``
        : `'${names['plural words']}'`
      : `\`${names['plural words']}${ofParent} of \${${ofOwner}}\``;
  const map = duplicates.length > 0 ? 'mapDuplicates(uniqueFields, () => ' : '';
  const end = duplicates.length > 0 ? ')' : '';
  return {
    'unique fields':
      duplicates.length > 0
        ? `/** Constraints of unique fields. */\nconst uniqueFields = { ${duplicates.join(', ')} };\n\n`
        : '',
    'duplicate import': duplicates.length > 0 ? `import { mapDuplicates } from '../http/map-duplicates.ts';\n` : '',
    'page import of service': pageImport(resource),
    'schema types':
      [`New${Singular}`, `${Singular}Changes`, `${Singular}Query`].map((name) => `type ${name}`).join(', ') +
      (resource.sorts.length > 0 ? `, ${names.singular}Sorts` : ''),
    'database imports': [
      'Database',
      ...(isShared && owner.isPublic ? ['PublicRepositories'] : []),
      ...(isShared && !owner.isPublic ? ['OwnerRepositories'] : []),
      ...(isEmbedded ? ['RowKey'] : []),
      'Scope',
      ...(isShared ? ['Transactions'] : []),
      'Versions',
    ].join(', '),
    'service import':
      { user: 'scopeFor', organization: 'organizationScope', nobody: '' }[owner.kind] +
      (owner.isReadByMembers ? ', organizationScope' : ''),
    'own unit': owner.kind === 'organization' ? 'organizationScope(scope, organizationId)' : 'scopeFor(scope, userId)',
    'owner explained':
      owner.kind === 'organization' ? 'of an organization' : 'of a user. `userId` is that of the path: `me` or an id',
    'owner variable': owner.variable,
    'parent parameter': parent ? `${parent.singular}Id: string, ` : '',
    'parent argument': parentArgument,
    'reads unit': reads,
    'reads scope': owner.isPublic ? '' : 'scope: Scope, ',
    'dependencies type': isEmbedded
      ? `interface Dependencies {
  database: Database;
  /** Undefined if no service is configured. */
  embedder: Embedder | undefined;
  jobKinds: { embed${names.Plural}: JobKind<RowKey> | undefined };
}\n\n`
      : '',
    dependencies: isEmbedded
      ? '{ database, embedder, jobKinds }: Dependencies'
      : '{ database }: { database: Database }',
    'embedding head': isEmbedded
      ? `  const embedding = jobKinds.embed${names.Plural};
  const searchRows = createRowSearch({ embedder });
  const keyOf = ({ id${owner.column ? `, ${owner.column}` : ''} }: RowKeyOf) => ({ owner_id: ${owner.column || 'id'}, id });\n`
      : '',
    'key type': isEmbedded
      ? `type RowKeyOf = { id: string${owner.column ? `; ${owner.column}: string` : ''} };\n\n`
      : '',
    'search imports': isEmbedded
      ? `import { createRowSearch, type RowSearch } from '../embeddings/row-search.ts';\nimport type { Embedder } from '../embeddings/embedder.ts';\nimport type { JobKind } from '../queue/job.ts';\n`
      : '',
    'shared list': isShared ? sharedList(resource) : '',
    'own list': isShared
      ? `      return listIn(${unit}, ${listName}, ${parentArgument}query);`
      : `      const list = ${listName};\n${listBody(resource, unit)}`,
    'reader methods': isShared ? readerMethods(resource) : '',
    'create body': createBody({ map, end, write, method, parentArgument, resource }),
    'update body': updateBody({ map, end, write, method, parentArgument, resource }),
    'search method': isEmbedded ? searchMethod(resource, unit) : '',
  };
}

function pageImport(resource: Resource): string {
  const { hasText } = listFilters(resource);
  const isSorted = resource.sorts.length > 0;
  const page = [...(hasText ? ['listByText'] : []), ...(isSorted ? [] : ['pageFrom', 'pageRequest'])];
  return [
    ...(page.length > 0 ? [`import { ${page.join(', ')} } from '../http/page.ts';\n`] : []),
    ...(isSorted ? [`import { sortedPageFrom, sortedPageRequest } from '../http/sorted-page.ts';\n`] : []),
  ].join('');
}

/** Returns the statements from the query to the page. `list` is the name of the list. */
function listBody(resource: Resource, unit: string): string {
  const { names, parent, sorts } = resource;
  const { plural, singular } = names;
  const { hasText, names: filters, scanning } = listFilters(resource);
  const parentArgument = parent ? `${parent.singular}Id, ` : '';
  const request = filters.length > 0 ? `{ ...page, ${filters.join(', ')} }` : 'page';
  const isScanned = scanning.length > 0;
  const result = isScanned ? '{ rows, scannedTo }' : '{ rows }';
  const call = `${plural}.list(${parentArgument}${request})`;
  return [
    sorts.length > 0
      ? `      const page = sortedPageRequest(list, query, ${singular}Sorts);`
      : '      const page = pageRequest(list, query);',
    ...(filters.length > 0 ? [`      const { ${filters.join(', ')} } = query;`] : []),
    hasText
      ? `      const ${result} = await listByText(${unit}, q, ({ ${plural} }) => ${call});`
      : `      const ${result} = await ${unit}.${call};`,
    ...(parent
      ? [`      if (rows.length === 0) found(await ${unit}.${parent.plural}.find(${parent.singular}Id));`]
      : []),
    `      return ${sorts.length > 0 ? 'sortedPageFrom' : 'pageFrom'}(list, rows, page${isScanned ? ', { scannedTo }' : ''});`,
  ].join('\n');
}

const sharedList = (resource: Resource) => {
  const { names, owner, parent } = resource;
  const source = owner.isPublic ? 'PublicRepositories' : 'OwnerRepositories';
  const read = owner.isPublic ? `'${names.plural}'` : `'${names.plural}'`;
  const type = owner.isPublic
    ? `Pick<${source}, ${read}${parent ? ` | '${parent.plural}'` : ''}>`
    : `{ ${names.plural}: Pick<${source}['${names.plural}'], 'list'>${parent ? `; ${parent.plural}: Pick<${source}['${parent.plural}'], 'find'>` : ''} }`;
  return `  type Reads = ${type};
  const listIn = async (unit: Reads & Transactions<Reads>, list: string, ${parent ? `${parent.singular}Id: string, ` : ''}query: ${names.Singular}Query) => {
${listBody(resource, 'unit')}
  };

`;
};

function readerMethods({ names, owner, parent }: Resource): string {
  const { Singular, plural } = names;
  const parameter = parent ? `${parent.singular}Id: string, ` : '';
  const argument = parent ? `${parent.singular}Id, ` : '';
  const ofParent = parent ? ` of \${${parent.singular}Id}` : '';
  const words = names['plural words'];
  const parts: string[] = [];
  if (owner.isPublic)
    parts.push(`

    listPublic: (${parameter}query: ${Singular}Query) => listIn(database.public(), ${parent ? `\`public ${words}${ofParent}\`` : `'public ${words}'`}, ${argument}query),

    getPublic: async (${parameter}id: string) => found(await database.public().${plural}.find(${argument}id)),`);
  if (owner.isReadByMembers)
    parts.push(`

    /** ${names['Plural words']} that are shared with the organization. */
    listOfOrganization: (scope: Scope, organizationId: string, ${parameter}query: ${Singular}Query) =>
      listIn(database.as(organizationScope(scope, organizationId)), \`${words}${ofParent} of organization \${organizationId}\`, ${argument}query),

    getOfOrganization: async (scope: Scope, organizationId: string, ${parameter}id: string) =>
      found(await database.as(organizationScope(scope, organizationId)).${plural}.find(${argument}id)),`);
  return parts.join('');
}

interface Writing {
  map: string;
  end: string;
  write: string;
  method: string;
  parentArgument: string;
  resource: Resource;
}

function createBody({ map, end, write, method, parentArgument, resource: { names, isEmbedded } }: Writing): string {
  const { plural, singular } = names;
  const call = `${plural}.create(${parentArgument}${singular})`;
  if (!isEmbedded) return `\n      ${map}${write}.${method}(({ ${plural} }) => ${call})${end}`;
  return ` {
      const created = await ${map}${write}.transaction(async ({ ${plural}, jobs }) => {
        const row = await ${call};
        await embedding?.enqueue({ jobs }, [keyOf(row)]);
        return row;
      })${end};
      embedding?.wake();
      return created;
    }`;
}

function updateBody({ map, end, write, method, parentArgument, resource: { names, isEmbedded } }: Writing): string {
  const { plural, singular } = names;
  const body = `        const isEmpty = Object.keys(changes).length === 0;
        const ${singular} = await (isEmpty ? ${plural}.find(${parentArgument}id, versions) : ${plural}.update(${parentArgument}id, changes, versions));`;
  const required = `requireRow(versions, ${singular}, () => ${plural}.find(${parentArgument}id))`;
  if (!isEmbedded)
    return `\n      ${map}${write}.${method}(async ({ ${plural} }) => {
${body}
        return ${required};
      })${end}`;
  return ` {
      const updated = await ${map}${write}.transaction(async ({ ${plural}, jobs }) => {
${body}
        const current = await ${required};
        // The job skips rows that have an embedding.
        if (!isEmpty) await embedding?.enqueue({ jobs }, [keyOf(current)]);
        return current;
      })${end};
      embedding?.wake();
      return updated;
    }`;
}

function searchMethod({ names, owner }: Resource, unit: string): string {
  const { plural } = names;
  const find = `({ ${plural} }, request) => ${plural}.nearest(request)`;
  if (owner.kind === 'nobody')
    return `

    search: (${owner.isPublic ? 'caller: string' : 'scope: Scope'}, search: RowSearch) =>
      searchRows(${unit}, ${owner.isPublic ? 'caller' : 'scope.actor.userId'}, search, ${find}),`;
  const own = owner.kind === 'organization' ? 'organizationScope(scope, organizationId)' : 'scopeFor(scope, userId)';
  return `

    search: async (scope: Scope, ${owner.variable}: string, search: RowSearch) =>
      searchRows(database.as(${own}), scope.actor.userId, search, ${find}),${
        owner.isPublic
          ? `

    searchPublic: (caller: string, search: RowSearch) => searchRows(database.public(), caller, search, ${find}),`
          : ''
      }`;
}
