import { UsageError } from '@quoin/db/command';

// Who owns the rows of a resource, who reads and who writes them, and the parts of the templates that depend on it.

export interface Owner {
  kind: 'user' | 'organization' | 'nobody';
  /** The column with the id of the owner, and the variable with the id. Empty if nobody owns the rows. */
  column: string;
  variable: string;
  /** Whether everybody reads the rows. */
  isPublic: boolean;
  /** Whether only admins write the rows: of the organization, or of the server. */
  isWrittenByAdmins: boolean;
}

export interface OwnerOptions {
  'owned-by'?: string | undefined;
  'public-read'?: boolean | undefined;
  'admin-write'?: boolean | undefined;
}

/** @throws UsageError */
export function readOwner({
  'owned-by': kind = 'user',
  'public-read': isPublic = false,
  'admin-write': isAdmin = false,
}: OwnerOptions): Owner {
  if (kind !== 'user' && kind !== 'organization' && kind !== 'nobody')
    throw new UsageError('--owned-by must be user, organization or nobody');
  if (isPublic && kind !== 'nobody') throw new UsageError('--public-read needs --owned-by nobody');
  if (isAdmin && kind === 'user') throw new UsageError('--admin-write needs --owned-by organization or nobody');
  return {
    kind,
    column: kind === 'nobody' ? '' : `${kind}_id`,
    variable: kind === 'nobody' ? '' : `${kind}Id`,
    isPublic,
    isWrittenByAdmins: isAdmin || kind === 'nobody',
  };
}

interface Names {
  table: string;
  plural: string;
  'plural words': string;
  path: string;
}

/** Returns the parts of entity, repository and schemas. */
export function ownerParts(owner: Owner, names: Names) {
  const { kind, column, variable } = owner;
  const { table, plural } = names;
  const Kind = kind.charAt(0).toUpperCase() + kind.slice(1);
  const isOwned = kind !== 'nobody';
  return {
    'policy import': { user: 'ownedBy', organization: 'ownedByOrganization', nobody: 'ownedByNobody' }[kind],
    'owner import': isOwned ? `import { ${Kind}Schema } from './${kind}.ts';\n` : '',
    'owner property': isOwned
      ? `    ${kind}: () =>
      p.manyToOne(${Kind}Schema).primary().deleteRule('cascade').foreignKeyName('fk_${table}_${column}').comment('The ${kind === 'user' ? 'owner' : kind}.'),\n`
      : '',
    policies: {
      user: `ownedBy('${table}', 'user_id')`,
      organization: `ownedByOrganization('${table}'${owner.isWrittenByAdmins ? `, { writers: 'admins' }` : ''})`,
      nobody: `ownedByNobody('${table}'${owner.isPublic ? ', { isPublic: true }' : ''})`,
    }[kind],
    'of the owner': { user: ' of a user', organization: ' of an organization', nobody: '' }[kind],
    'of the scope': { user: ' of the owner', organization: ' of the organization', nobody: '' }[kind],
    context: { user: 'OwnerContext', organization: 'OrganizationContext', nobody: 'Context' }[kind],
    'quoted owner': isOwned ? `'${column}', ` : '',
    'owner key': isOwned ? `'${column}' | ` : '',
    'scope parameter': isOwned ? ', scope' : '',
    'owner constant': isOwned ? `  const { ${variable} } = scope.owner;\n` : '',
    'owner condition': isOwned ? `        .where('${column}', '=', ${variable})\n` : '',
    'owner value': isOwned ? `${column}: ${variable}, ` : '',
    'create comment': isOwned ? `    /** Violates \`fk_${table}_${column}\` if the ${kind} no longer exists. */\n` : '',
    reads: isOwned
      ? ''
      : `
/** What everybody ${owner.isPublic ? '' : 'who is signed in '}may do with ${names['plural words']}. */
export const ${plural}Reads = (context: Context) => {
  const { find, list } = ${plural}(context);
  return { find, list };
};
`,
    'owner schema': isOwned ? `    ${column}: Id('Id of the ${kind === 'user' ? 'owner' : kind}.'),\n` : '',
    'owner params': {
      user: 'user_id: OwnerId, ',
      organization: '...OrganizationParams.properties, ',
      nobody: '',
    }[kind],
    ...routeOwnerParts(owner, names),
    ...testOwnerParts(owner, names),
  };
}

const throttleOf = (name: string, rate: number) =>
  `throttle: { name: '${name}', address: { burst: ${rate}, perMinute: ${rate} } },`;

/** Returns the parts of service and routes. */
function routeOwnerParts({ kind, column, variable, isPublic, isWrittenByAdmins }: Owner, { path }: Names) {
  const access = {
    user: `requiredScope: '${path}:write',`,
    organization: `requiredScope: '${path}:write',${isWrittenByAdmins ? ` organizationRole: 'admin',` : ''}`,
    nobody: `admin: true, requiredScope: '${path}:write',`,
  }[kind];
  return {
    collection: kind === 'nobody' ? `/${path}` : `/${kind}s/:${column}/${path}`,
    params: kind === 'user' ? 'OwnerParams' : 'OrganizationParams',
    'schema import':
      kind === 'user' ? 'type App, OwnerParams' : kind === 'organization' ? 'type App, OrganizationParams' : 'type App',
    'write access': access,
    'read access': isPublic ? `public: true, ${throttleOf('public reads', 600)}` : `requiredScope: '${path}:read',`,
    // A list with filters looks at thousands of rows.
    'list access': isPublic ? `public: true, ${throttleOf('public lists', 120)}` : `requiredScope: '${path}:read',`,
    'owner location': kind === 'organization' ? `/organizations/\${organization_id}` : `/users/\${user_id}`,
    'owner column': column,
    'owner variable': variable,
    'owner kind': kind,
    'other owners': kind === 'user' ? 'other users' : 'other organizations',
    'service import':
      kind === 'organization'
        ? `import { organizationScope } from '../auth/owner.ts';`
        : `import { scopeFor } from '../auth/owner.ts';`,
    'own unit': kind === 'organization' ? `organizationScope(scope, organizationId)` : 'scopeFor(scope, userId)',
    'owner of list': kind === 'organization' ? 'owner.owner.organizationId' : 'owner.owner.userId',
    'owner explained':
      kind === 'organization' ? 'of an organization' : 'of a user. `userId` is that of the path: `me` or an id',
    'reads unit': isPublic ? 'database.public()' : 'database.as(scope)',
    'reads scope': isPublic ? '' : 'scope: Scope, ',
    'reads argument': isPublic ? '' : 'scope, ',
    'list request': isPublic ? '{ query }' : '{ scope, query }',
    'get request': isPublic ? '{ params }' : '{ scope, params }',
    'Reads explained': isPublic ? 'For everybody.' : 'For all who are signed in.',
  };
}

/** Returns the parts of the test. */
function testOwnerParts({ kind, column, isPublic, isWrittenByAdmins }: Owner, { path }: Names) {
  return {
    'expected owner': kind === 'nobody' ? '' : `    ${column}: mine.id,\n`,
    'own path': { user: `/users/\${mine.id}/${path}`, organization: `\${mine.collection}`, nobody: `/${path}` }[kind],
    'end of list':
      kind === 'nobody'
        ? `    expect(ids(third)[0]).toBe(made[4]);\n`
        : `    expect([ids(third), third.next_cursor]).toEqual([made.slice(4), null]);
    const other = await newPlace();
    expectProblem(
      await send('GET', \`\${other.collection}?cursor=\${first.next_cursor}\`, undefined, other.token),
      422,
      'validation_failed',
    );\n`,
    writers: isWrittenByAdmins ? 'its admins only' : 'its members',
    'member writes': isWrittenByAdmins ? '403' : '201',
    'member changes': isWrittenByAdmins ? '403' : '200',
    readers: isPublic ? 'all' : 'all who are signed in',
    'guest reads': isPublic ? '200' : '401',
    'and of public reads': isPublic ? ' and of public reads' : '',
  };
}
