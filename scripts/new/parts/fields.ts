import { type Field, typeOf } from '../field-types.ts';
import { capital } from '../names.ts';
import type { Owner } from '../owner.ts';
import type { Target } from '../target.ts';

// What the parts of the templates ask about fields.

export const searched = (fields: Field[]) => fields.filter((field) => typeOf(field).isSearched);
/** Fields that lists are filtered by: every boolean, and what `--filter` names. */
export const filtered = (fields: Field[]) => fields.filter(({ type, isFiltered }) => type === 'boolean' || isFiltered);
export const uniques = (fields: Field[]) => fields.filter(({ isUnique }) => isUnique);
export const isRequired = ({ isOptional, default: value }: Field) => !isOptional && value === undefined;
/** Fields that clients write. */
export const writable = (fields: Field[]) => fields.filter(({ isReadOnly }) => !isReadOnly);
/** Fields whose values are written into the body of a test: all but ids of other rows, which the test creates. */
export const literal = (fields: Field[]) => fields.filter(({ target }) => target === undefined);
export type Reference = Field & { target: NonNullable<Field['target']> };
export const references = (fields: Field[]) => fields.filter((field): field is Reference => field.target !== undefined);
/** The name of a relation: `category` of the field `category_id`. */
export const relationOf = ({ name }: Field) => name.replace(/_id$/, '');
export const wordsOf = ({ name }: Field) => name.replaceAll('_', ' ');

/** Describes a field, without a full stop. */
export function meaningOf(field: Field): string {
  if (field.target) return `Id of the ${relationOf(field).replaceAll('_', ' ')}`;
  if (field.type !== 'boolean') return capital(wordsOf(field));
  const [, verb = 'is', rest] = /^(?:(is|has) )?(.*)$/.exec(wordsOf(field)) ?? [];
  return `Whether it ${verb} ${rest}`;
}

/** Returns an example value of the field, as code. */
export const sample = (field: Field, isOther = false): string => typeOf(field).samples(field)[isOther ? 1 : 0];

/** Whether some statements read rows of all owners. A policy of one owner keeps PostgreSQL from using indexes for texts and vectors. */
export const isReadByAll = ({ kind, isPublic }: Owner) => kind === 'nobody' || isPublic;

/** Quotes texts and separates them by commas. */
export const quoted = (texts: string[]) => texts.map((text) => `'${text}'`).join(', ');

/** Returns the call that creates a row of another resource. */
export const createRow = ({ Singular, kind }: Pick<Target, 'Singular' | 'kind'>, owner: string, more = '') =>
  `await create${Singular}(api${kind === 'nobody' ? '' : `, ${owner}`}${more})`;
