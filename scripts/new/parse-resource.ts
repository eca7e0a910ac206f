import { UsageError } from '@quoin/db/command';
import { type Field, typeOf } from './field-types.ts';
import { namesOf, singularOf } from './names.ts';
import { type Owner, type OwnerOptions, readOwner } from './owner.ts';
import { type Parent, parseField, parseParent } from './parse-field.ts';
import { isRequired, searched } from './parts/fields.ts';
import type { Resource } from './resource.ts';

const fieldsMax = 40;
/** Length of a name in PostgreSQL. */
const nameMax = 63;
// Names with another meaning in the code or in a query.
const taken =
  'id user user_id organization organization_id membership created_at updated_at limit cursor skip sort q db fast after last own scope rows query page v7 embedding embedding_model score'.split(
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
  sort?: string | undefined;
  'read-only'?: string | undefined;
  searchable?: boolean | undefined;
  embedded?: boolean | undefined;
}

/**
 * Reads `notes title:string body:text? pinned:boolean`.
 *
 * @throws UsageError
 */
export function parseResource([path = '', ...texts]: string[], options: ResourceOptions = {}): Resource {
  const {
    singular,
    filter,
    sort,
    'read-only': readOnly,
    searchable: isSearchable = false,
    embedded: isEmbedded = false,
  } = options;
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
  const owner = readOwner(options);
  const names = namesOf({ path, singularPath });
  const parent = readParent(texts, owner);
  const known = checkFields(texts.filter((text) => !parseParent(text)).map(parseField), { names, owner, parent });
  const fields = withReadOnly(known, readOnly?.split(',') ?? []);
  if (!fields.some(isRequired))
    throw new UsageError('at least one field must be required: without ?, without a default, and not a boolean');
  const hasText = searched(fields).length > 0;
  if (isSearchable && !hasText) throw new UsageError('--searchable needs a string or a text');
  if (isEmbedded && !searched(fields).some(isRequired))
    throw new UsageError('--embedded needs a required string or text');
  if (isEmbedded && parent) throw new UsageError('--embedded is for resources without a parent');
  return {
    names,
    segment: parent ? path.replace(new RegExp(`^${parent.singularPath}-`), '') : path,
    fields: withFilters(fields, filter?.split(',') ?? []),
    owner,
    parent,
    sorts: sortsOf(fields, sort?.split(',') ?? []),
    isSearchable,
    isEmbedded,
  };
}

function readParent(texts: string[], owner: Owner): Parent | undefined {
  const parents = texts.flatMap((text) => parseParent(text) ?? []);
  const [parent] = parents;
  if (!parent) return undefined;
  if (parents.length > 1) throw new UsageError('at most one parent');
  if (parent.kind !== owner.kind)
    throw new UsageError(`${parent.path} belong to ${parent.kind}: add --owned-by ${parent.kind}`);
  if (parent.collection.split('/:').length > (owner.kind === 'nobody' ? 1 : 2))
    throw new UsageError(`${parent.path} have a parent themselves: refer to them with ref`);
  if (owner.isPublic && !parent.isPublic) throw new UsageError(`--public-read: ${parent.path} are not public`);
  if (owner.isReadByMembers && !parent.isReadByMembers)
    throw new UsageError(`--read-by-members: ${parent.path} are not read by members`);
  return parent;
}

/** Returns the fields, if they fit together. @throws UsageError */
export function checkFields(
  fields: Field[],
  { names: { table }, owner, parent }: Pick<Resource, 'names' | 'owner' | 'parent'>,
): Field[] {
  const all = [...fields.map(({ name }) => name), ...(parent ? [parent.column, parent.name] : [])];
  const repeated = all.find((name, place) => all.indexOf(name) < place);
  if (repeated) throw new UsageError(`${repeated} appears twice`);
  const reserved = all.find(
    (name) => taken.includes(name.replace(/^organization_id$/, 'user_id')) || keywords.includes(name),
  );
  if (reserved) throw new UsageError(`a field cannot be called ${reserved}: the name is reserved`);
  const long = all.find((name) => `idx_${table}_${name}_id`.length > nameMax);
  if (long) throw new UsageError(`${long}: the name is too long for a table of this name`);
  for (const { name, target } of fields)
    if (target && target.kind !== 'nobody' && target.kind !== owner.kind)
      throw new UsageError(`${name}: ${target.path} belong to another kind of owner, ${target.kind}`);
  return fields;
}

function withReadOnly(fields: Field[], names: string[]): Field[] {
  for (const name of names) {
    const field = findField(fields, name, 'read-only');
    if (isRequired(field)) throw new UsageError(`--read-only: ${name} needs a default, or ? for null`);
    if (field.isUnique || field.target) throw new UsageError(`--read-only: ${name} is unique or refers to a row`);
  }
  return fields.map((field) => ({ ...field, isReadOnly: names.includes(field.name) }));
}

function withFilters(fields: Field[], names: string[]): Field[] {
  for (const name of names) {
    const field = findField(fields, name, 'filter');
    if (!typeOf(field).filter)
      throw new UsageError(`--filter: lists cannot be filtered by a field of type ${field.type}`);
  }
  return fields.map((field) => ({
    ...field,
    isFiltered: names.includes(field.name) || (field.target !== undefined && names.includes(field.name.slice(0, -3))),
  }));
}

const sortsOf = (fields: Field[], names: string[]): Field[] =>
  names.map((name) => {
    const field = findField(fields, name, 'sort');
    if (!typeOf(field).sort) throw new UsageError(`--sort: lists cannot be sorted by a field of type ${field.type}`);
    return field;
  });

function findField(fields: Field[], name: string, option: string): Field {
  const field = fields.find((one) => one.name === name || (one.target && one.name === `${name}_id`));
  if (!field) throw new UsageError(`--${option}: there is no field ${name}`);
  return field;
}
