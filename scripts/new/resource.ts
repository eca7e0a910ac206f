import type { Field } from './field-types.ts';
import type { Names } from './names.ts';
import type { Owner } from './owner.ts';
import type { Parent } from './parse-field.ts';

/** What `npm run new -- resource` makes files of. */
export interface Resource {
  names: Names;
  /** The last part of the path: `items` for `order-items` under an order. */
  segment: string;
  fields: Field[];
  owner: Owner;
  /** The row that rows are under. */
  parent?: Parent | undefined;
  /** Fields that lists can be sorted by. */
  sorts: Field[];
  /** Whether `q` searches all rows, and not only those that a page looks at. */
  isSearchable: boolean;
  /** Whether rows are searched by meaning. */
  isEmbedded: boolean;
}
