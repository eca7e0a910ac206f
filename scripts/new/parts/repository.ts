import { typeOf } from '../field-types.ts';
import type { Resource } from '../resource.ts';
import { filtered, isReadByAll, quoted, searched, wordsOf } from './fields.ts';
import { listFilters, listImports, listOf } from './list.ts';

/** Whether others than the owner read rows: through a function that is shared. */
export const hasReaders = ({ owner }: Pick<Resource, 'owner'>) =>
  owner.kind !== 'nobody' && (owner.isPublic || owner.isReadByMembers);

/** Returns the parts of the repository's templates. */
export function repositoryParts(resource: Resource): Record<string, string> {
  const { names, fields, owner, parent, isEmbedded } = resource;
  const { table, Singular } = names;
  const { kind, column, variable } = owner;
  const isOwned = kind !== 'nobody';
  const filters = listFilters(resource);
  const properties = [
    ...filtered(fields).map(
      (field) => `  ${field.name}?: ${typeOf(field).filter?.(field.args) ?? 'never'} | undefined;`,
    ),
    ...(filters.hasText
      ? [
          `  /** Text in the ${searched(fields).map(wordsOf).join(' or the ')}, regardless of case. */`,
          '  q?: string | undefined;',
        ]
      : []),
  ];
  const parentKey = parent ? `'${parent.column}' | ` : '';
  const ofParent = parent ? `        .where('${parent.column}', '=', ${parent.singular}Id)\n` : '';
  const ofOwner = isOwned ? `        .where('${column}', '=', ${variable})\n` : '';
  const readsCondition = hasReaders(resource) ? `        .where(({ and }) => and(owner))\n` : ofOwner;
  return {
    'list imports': listImports(resource),
    'embedding imports': isEmbedded
      ? `import { embeddingsIn, type Nearest, nearest${isReadByAll(owner) ? ', useVectorIndex' : ''} } from './embeddings.ts';\n`
      : '',
    'context imports': [
      ...(hasReaders(resource) || isEmbedded || !isOwned ? ['Context'] : []),
      ...(kind === 'organization' || owner.isReadByMembers ? ['OrganizationContext'] : []),
      ...(kind === 'user' ? ['OwnerContext'] : []),
    ].join(', '),
    context: { user: 'OwnerContext', organization: 'OrganizationContext', nobody: 'Context' }[kind],
    'quoted owner': [...(isOwned ? [`'${column}', `] : []), ...(parent ? [`'${parent.column}', `] : [])].join(''),
    'quoted fields': quoted([
      ...fields.map(({ name }) => name),
      ...(owner.isReadByMembers && !parent ? ['organization_id'] : []),
    ]),
    'owner key': `${isOwned ? `'${column}' | ` : ''}${parentKey}${isEmbedded ? `'embedding' | 'embedding_model' | ` : ''}`,
    'filter type': filters.names.length > 0 ? `export interface ${Singular}Filter {\n${properties.join('\n')}\n}` : '',
    'of the scope': { user: ' of the owner', organization: ' of the organization', nobody: '' }[kind],
    'scope parameter': isOwned ? ', scope' : '',
    'owner constant': isOwned ? `  const { ${variable} } = scope.owner;\n` : '',
    'owner condition': ofOwner + ofParent,
    'reads condition': readsCondition + ofParent,
    'owner value': `${isOwned ? `${column}: ${variable}, ` : ''}${parent ? `${parent.column}: ${parent.singular}Id, ` : ''}`,
    'parent parameter': parent ? `${parent.singular}Id: string, ` : '',
    'create comment': isOwned ? `    /** Violates \`fk_${table}_${column}\` if the ${kind} no longer exists. */\n` : '',
    'fresh embedding': isEmbedded
      ? `        .set(${textCondition(resource)} ? {} : { embedding: null, embedding_model: null })\n`
      : '',
    list: listOf({
      resource,
      condition: (readsCondition + ofParent).trimEnd().replace(/^ {8}/gm, '\n        ').replace(/\n+/g, '\n'),
    }),
    nearest: isEmbedded ? nearestMethod(resource, readsCondition) : '',
    'other repositories': otherRepositories(resource),
    'embedding repository': isEmbedded
      ? `
/** Embeddings of ${names['plural words']}, for the job that computes them. */
export const ${names.singular}Embeddings = (context: Context) =>
  embeddingsIn(context, { table: '${table}', owner: '${isOwned ? column : 'id'}', texts: [${quoted(searched(fields).map(({ name }) => name))}] });
`
      : '',
  };
}

const textCondition = ({ fields }: Resource) =>
  searched(fields)
    .map(({ name }) => `changes.${name} === undefined`)
    .join(' && ');

/** An index would look for rows of all owners, and miss some of one. */
function nearestMethod(resource: Resource, condition: string): string {
  const { names, owner } = resource;
  const usesIndex = owner.kind === 'nobody' ? 'true' : owner.isPublic ? `owner.${owner.column} === undefined` : '';
  return `

    /** Nearest in meaning first. */
    nearest: async (request: Nearest) => {
      const own = db.selectFrom('${names.table}').select(columns)${condition.trim() ? `\n${condition.trimEnd()}` : ''};
${usesIndex === 'true' ? '      await useVectorIndex(db);\n' : usesIndex ? `      const isOfAll = ${usesIndex};\n      if (isOfAll) await useVectorIndex(db);\n` : ''}      return nearest(own, request${usesIndex === 'true' ? ', { usesIndex: true }' : usesIndex ? ', { usesIndex: isOfAll }' : ''}).execute();
    },`;
}

/** The repositories of those who only read. */
function otherRepositories(resource: Resource): string {
  const { names, owner, parent, isEmbedded } = resource;
  const { plural, Plural } = names;
  const parts: string[] = [];
  if (owner.kind === 'nobody')
    return `
/** What everybody ${owner.isPublic ? '' : 'who is signed in '}may do with ${names['plural words']}. */
export const ${plural}Reads = (context: Context) => {
  const { find, list${isEmbedded ? ', nearest' : ''} } = ${plural}(context);
  return { find, list${isEmbedded ? ', nearest' : ''} };
};
`;
  if (owner.isPublic)
    parts.push(`
/** ${names['Plural words']} that everybody reads. */
export const public${Plural} = (context: Context) => reads(context, {});
`);
  if (owner.isReadByMembers)
    parts.push(`
/** ${names['Plural words']} that the members of the organization read. */
export const organization${Plural} = ({ db, fast${parent ? '' : ', scope'} }: OrganizationContext) =>
  reads({ db, fast }, ${parent ? '{}' : '{ organization_id: scope.owner.organizationId }'});
`);
  return parts.join('');
}
