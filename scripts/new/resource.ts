import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '@quoin/db/command';
import { type Field, typeOf } from './field-types.ts';
import { type Owner, type OwnerOptions, ownerParts, readOwner } from './owner-parts.ts';
import { parseField } from './parse-field.ts';
import { entityParts, repositoryParts, routeParts, schemaParts, serviceParts } from './resource-parts.ts';
import { testParts } from './test-parts.ts';

// The files that `npm run new -- resource` writes, from the names, the fields and the templates.

export interface Resource {
  /** The plural, as in paths: `meeting-notes`. */
  path: string;
  /** The singular: `meeting-note`. */
  singularPath: string;
  fields: Field[];
  owner: Owner;
}

const fieldsMax = 40;
// Names with another meaning in the code or in a query.
const taken =
  'id user user_id organization organization_id created_at updated_at limit cursor skip q db after query page v7'.split(
    ' ',
  );
const keywords =
  'arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for function if implements import in instanceof interface let new null package private protected public return static super switch this throw true try typeof undefined var void while with yield'.split(
    ' ',
  );

export interface ResourceOptions extends OwnerOptions {
  singular?: string | undefined;
  /** Names of fields, separated by commas. */
  filter?: string | undefined;
}

/**
 * Reads `notes title:string body:text? pinned:boolean`.
 *
 * @throws UsageError
 */
export function parseResource(
  [path = '', ...texts]: string[],
  { singular, filter, ...options }: ResourceOptions = {},
): Resource {
  const pattern = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
  if (!pattern.test(path))
    throw new UsageError('name the resource in the plural and in lower case: notes, meeting-notes');
  const singularPath = singular ?? singularOf(path);
  if (!singularPath || !pattern.test(singularPath) || singularPath === path)
    throw new UsageError(`the singular of ${path} is unknown: add --singular WORD`);
  if (path.length > 40 || keywords.includes(path) || keywords.includes(singularPath))
    throw new UsageError(`${path} cannot be the name of a resource`);
  if (texts.length === 0) throw new UsageError('fields are missing: title:string body:text? pinned:boolean');
  if (texts.length > fieldsMax) throw new UsageError(`at most ${fieldsMax} fields`);
  const fields = texts.map(parseField);
  const repeated = fields.find(({ name }, place) => fields.findIndex((other) => other.name === name) < place);
  if (repeated) throw new UsageError(`${repeated.name} appears twice`);
  const reserved = fields.find(({ name }) => taken.includes(name) || keywords.includes(name));
  if (reserved) throw new UsageError(`a field cannot be called ${reserved.name}: the name is reserved`);
  if (!fields.some(({ isOptional, default: value }) => !isOptional && value === undefined))
    throw new UsageError('at least one field must be required: without ?, without a default, and not a boolean');
  return { path, singularPath, fields: withFilters(fields, filter?.split(',') ?? []), owner: readOwner(options) };
}

function withFilters(fields: Field[], names: string[]): Field[] {
  for (const name of names) {
    const field = fields.find((one) => one.name === name);
    if (!field) throw new UsageError(`--filter: there is no field ${name}`);
    if (!typeOf(field).filter)
      throw new UsageError(`--filter: lists cannot be filtered by a field of type ${field.type}`);
  }
  return fields.map((field) => ({ ...field, isFiltered: names.includes(field.name) }));
}

function singularOf(plural: string): string | undefined {
  if (/ies$/.test(plural)) return plural.replace(/ies$/, 'y');
  if (/(ss|x|ch|sh)es$/.test(plural)) return plural.replace(/es$/, '');
  return /[^s]s$/.test(plural) ? plural.replace(/s$/, '') : undefined;
}

/** Returns the names of a resource in code, paths and texts. */
export function namesOf({ path, singularPath }: Pick<Resource, 'path' | 'singularPath'>) {
  const words = (text: string) => text.replaceAll('-', ' ');
  const camel = (text: string) => text.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
  const article = /^[aeiou]/.test(singularPath) ? 'an' : 'a';
  return {
    path,
    table: path.replaceAll('-', '_'),
    plural: camel(path),
    singular: camel(singularPath),
    Plural: capital(camel(path)),
    Singular: capital(camel(singularPath)),
    singular_id: `${singularPath.replaceAll('-', '_')}_id`,
    'plural words': words(path),
    'Plural words': capital(words(path)),
    'singular words': words(singularPath),
    'a singular': `${article} ${words(singularPath)}`,
    'A singular': `${capital(article)} ${words(singularPath)}`,
  };
}

/** Returns the files of a resource by path, not formatted. */
export function resourceFiles(resource: Resource): Map<string, string> {
  const { path, singularPath, fields, owner } = resource;
  const names = namesOf(resource);
  const values: Record<string, string> = {
    ...names,
    ...ownerParts(owner, names),
    ...entityParts(fields, names, owner),
    ...repositoryParts(fields, names, owner),
    ...schemaParts(fields, owner),
    ...serviceParts(fields, names, owner),
    ...routeParts(fields, { words: names['plural words'] }, owner),
    ...testParts(fields, owner),
  };
  const fill = (template: string) =>
    readFileSync(join(import.meta.dirname, 'templates', `${template}.template`), 'utf8').replace(
      /\{\{([A-Za-z][\w ]*)\}\}/g,
      (_, name: string) => {
        const value = values[name];
        if (value === undefined) throw new Error(`${template}.template: there is no ${name}`);
        return value;
      },
    );
  values['test head'] = fill(`test-head-${owner.kind}`);
  values['test isolation'] = fill(`test-isolation-${owner.kind}`);
  const isOwned = owner.kind !== 'nobody';
  const feature = `apps/api/src/${path}`;
  return new Map([
    [`packages/db/src/schema/${singularPath}.ts`, fill('entity')],
    [`packages/db/src/repositories/${path}.ts`, fill('repository')],
    [`${feature}/schemas.ts`, fill('schemas')],
    [`${feature}/service.ts`, fill(isOwned ? 'service' : 'nobody-service')],
    [`${feature}/routes.ts`, fill(isOwned ? 'routes' : 'nobody-routes')],
    [`${feature}/${path}.test.ts`, fill('test')],
  ]);
}
