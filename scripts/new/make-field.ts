import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { UsageError } from '@quoin/db/command';
import { applyChanges } from './apply-changes.ts';
import { withImports } from './insert-lines.ts';
import { parseField, parseParent } from './parse-field.ts';
import { checkFields } from './parse-resource.ts';
import { checkOf, columnOf, indexOn, reference, referenceColumns } from './parts/entity.ts';
import { isRequired, type Reference, references, sample } from './parts/fields.ts';
import { newPropertyOf, propertyOf } from './parts/schemas.ts';
import { fieldTest, referenceTests } from './parts/test-of-shapes.ts';
import { readTarget, type Target } from './target.ts';
import { markInUse } from './wiring.ts';

/**
 * Adds a field to a resource: `products weight:integer?`. If anything fails, nothing changes.
 *
 * @throws UsageError
 */
export async function makeField([path = '', ...texts]: string[]): Promise<void> {
  const [text = ''] = texts;
  if (!path || texts.length !== 1) throw new UsageError('give a resource and one field: products weight:integer?');
  const target = readTarget(path);
  const field = parseNewField(text, target);
  const files = changedFiles(target, field);
  await applyChanges({
    files,
    message: `Add ${field.name} to ${target['plural words']}`,
    oldCode: field.isOptional
      ? 'Old code keeps working: the column may be null.'
      : 'Old code keeps working: the column has a default.',
    finish: withoutLongLocks,
    hint: `Try it:  npx vitest run apps/api/src/${path}
Migrate a PostgreSQL server with npm run db -- upgrade. npm start migrates the embedded database.
`,
  });
}

type Changed = ReturnType<typeof parseField>;

function parseNewField(text: string, target: Target): Changed {
  if (parseParent(text)) throw new UsageError('a parent cannot be added later: refer to it with ref');
  const field = parseField(text);
  if (isRequired(field))
    throw new UsageError(`${field.name}: existing rows need a value: allow null with ?, or add a default with =VALUE`);
  if (field.isUnique)
    throw new UsageError(`${field.name}: a unique field cannot be added: write the migration by hand`);
  const owner = { kind: target.kind, column: target.kind === 'nobody' ? '' : `${target.kind}_id` };
  checkFields([field], { names: target, owner: { ...owner } as never, parent: undefined });
  if (field.target && refersTo(field.target, target))
    throw new UsageError(`${field.name}: ${field.target.path} refer to ${target.path} already`);
  return field;
}

/** Whether an entity refers to another one, directly or not. Rows of such a circle could not be deleted table by table. */
function refersTo(from: Pick<Target, 'singularPath'>, to: Target, seen = new Set<string>()): boolean {
  if (from.singularPath === to.singularPath) return true;
  if (seen.has(from.singularPath)) return false;
  seen.add(from.singularPath);
  const text = readFileSync(`packages/db/src/schema/${from.singularPath}.ts`, 'utf8');
  const imported = [...text.matchAll(/from '\.\/([a-z0-9-]+)\.ts'/g)].map(([, file = '']) => file);
  return imported
    .filter((file) => text.includes('Schema') && globSync(`packages/db/src/schema/${file}.ts`).length > 0)
    .some((singularPath) => refersTo({ singularPath }, to, seen));
}

/** Returns the files of the resource with the field in them. @throws UsageError if it is there, Error if a file is not like a generated one */
function changedFiles(target: Target, field: Changed): Map<string, string> {
  const { path, singularPath, Singular } = target;
  const entity = `packages/db/src/schema/${singularPath}.ts`;
  if (new RegExp(`^ +${field.name.replace(/_id$/, '(_id)?')}: `, 'm').test(readFileSync(entity, 'utf8')))
    throw new UsageError(`${path} have a field ${field.name} already`);
  const edits: [file: string, change: (text: string, file: string) => string][] = [
    [entity, (text, file) => withColumn(text, file, target, field)],
    [
      `packages/db/src/repositories/${path}.ts`,
      (text, file) => put(text, file, /^const columns = \[[^\]]*?(?='created_at')/m, `'${field.name}', `),
    ],
    [`apps/api/src/${path}/schemas.ts`, (text, file) => withProperty(text, file, Singular, field)],
    ...(field.target
      ? []
      : ([
          [
            `apps/api/testing/${path}.ts`,
            (text, file) =>
              put(
                text,
                file,
                new RegExp(`^export const whole${Singular} = \\{[^}]*?(?=,?\\s*\\};)`, 'm'),
                `, ${field.name}: ${sample(field)}`,
              ),
          ],
        ] as [string, (text: string, file: string) => string][])),
    [`apps/api/src/${path}/${path}.test.ts`, (text) => withTest(text, target, field)],
  ];
  const files = new Map(edits.map(([file, change]) => [file, change(readFileSync(file, 'utf8'), file)]));
  for (const [file, text] of markInUse(references([field]))) files.set(file, text);
  return files;
}

/** Returns the text with something added after what the pattern matches. */
function put(text: string, file: string, pattern: RegExp, addition: string): string {
  const [found] = pattern.exec(text) ?? [];
  if (found === undefined)
    throw new Error(`${file}: add ${addition.trim()} by hand; the file is not like a generated one`);
  return text.replace(pattern, () => found + addition);
}

function withColumn(text: string, file: string, target: Target, field: Changed): string {
  const { table } = target;
  const owner = ownerOf(target);
  const line = field.target ? reference(field as Reference, owner, table) : columnOf(field);
  let changed = put(text, file, /^ {2}properties: \{[\s\S]*?(?=^ {4}created_at: )/m, `${line}\n`);
  const option = (name: string, item: string) => {
    changed = new RegExp(`^ {2}${name}: \\[`, 'm').test(changed)
      ? changed.replace(new RegExp(`^ {2}${name}: \\[`, 'm'), (found) => `${found}${item}, `)
      : put(changed, file, /[\s\S]*?(?=^ {2}triggers: )/m, `  ${name}: [${item}],\n`);
  };
  const check = checkOf(table, field);
  if (check) option('checks', check);
  if (field.target) option('indexes', indexOn(table, field.name, referenceColumns(field as Reference, owner)));
  const imports = [
    ...(field.type === 'timestamp' ? [`import { timestamp } from './columns.ts';`] : []),
    ...(field.target ? [`import { ${field.target.Singular}Schema } from './${field.target.singularPath}.ts';`] : []),
  ];
  return withImports(changed, imports);
}

const ownerOf = ({ kind, isPublic, isReadByMembers }: Target) => ({
  kind,
  column: kind === 'nobody' ? '' : `${kind}_id`,
  variable: kind === 'nobody' ? '' : `${kind}Id`,
  isPublic,
  isReadByMembers,
  isWrittenByAdmins: kind === 'nobody',
});

function withProperty(text: string, file: string, Singular: string, field: Changed): string {
  const inProperties = put(text, file, /^const properties = \{[\s\S]*?(?=^\};)/m, `${propertyOf(field)}\n`);
  const changed = put(
    inProperties,
    file,
    new RegExp(
      `^export const New${Singular} = closed\\(\\s*\\{[\\s\\S]*?(?=,?\\s*\\},\\s*\\{\\s*title: 'New${Singular}')`,
      'm',
    ),
    `,\n${newPropertyOf(field)}`.replace(/,$/, ''),
  );
  const helpers = [
    ...(field.isOptional ? ['nullable'] : []),
    ...(field.type === 'enum' ? ['oneOf'] : []),
    ...(field.target || field.type === 'uuid' ? ['Id'] : []),
    ...(field.type === 'timestamp' ? ['Timestamp'] : []),
  ].filter((name) => !new RegExp(`import \\{[^}]*\\b${name}\\b[^}]*\\} from '../http/schema.ts'`).test(text));
  return helpers.length > 0
    ? withImports(changed, [`import { ${helpers.join(', ')} } from '../http/schema.ts';`])
    : changed;
}

function withTest(text: string, target: Target, field: Changed): string {
  if (!text.includes('const newPlace ='))
    throw new UsageError(
      `the tests of ${target.path} are not generated ones: add the field by hand, as docs/adding-a-resource.md says`,
    );
  if (!field.target) return `${text}\n${fieldTest(field, target)}`;
  const tests = referenceTests({ names: target, fields: [field], owner: ownerOf(target) });
  // What a row has that was created without the field.
  const expected = text.replace(/^ {4}\.\.\.body,\n/m, (found) => `${found}    ${field.name}: null,\n`);
  return withImports(`${expected}\n${tests}`, [
    `import { create${field.target.Singular} } from '../../testing/${field.target.path}.ts';`,
  ]);
}

/**
 * Changes a generated migration so that it locks its table for a moment only: constraints are validated after they are added, and indexes are built concurrently by a
 * migration of their own.
 */
function withoutLongLocks(file: string): void {
  const text = readFileSync(file, 'utf8').replace(
    /^alter table ("\w+") add constraint ("\w+") (.*);$/gm,
    'alter table $1 add constraint $2 $3 not valid;\nalter table $1 validate constraint $2;',
  );
  const indexes = [...text.matchAll(/^create index ("(\w+)") (.*);\n/gm)];
  writeFileSync(file, text.replace(/^create index .*;\n/gm, ''));
  for (const [index, [, quotedName = '', name = '', rest = '']] of indexes.entries()) {
    const number = String(Number(/(\d{4})_[^/]*$/.exec(file)?.[1]) + 1 + index).padStart(4, '0');
    const base = `packages/db/src/migrations/${number}_${name.replace(/^idx_/, 'index_of_')}`;
    writeFileSync(
      `${base}.up.sql`,
      `-- transaction: none\n-- Finds the rows that refer to another one.\n--\n-- Old code keeps working: an index changes no result.\n\ncreate index concurrently ${quotedName} ${rest};\n`,
    );
    writeFileSync(`${base}.down.sql`, `drop index if exists ${name};\n`);
    const down = file.replace('.up.sql', '.down.sql');
    writeFileSync(
      down,
      readFileSync(down, 'utf8').replace(new RegExp(`^drop index ("?${name}"?|if exists "?${name}"?);\\n`, 'm'), ''),
    );
  }
}
