import { UsageError } from '@quoin/db/command';
import { type Field, fieldTypes } from './field-types.ts';
import { readTarget, type Target } from './target.ts';

const grammar = /^([a-z][a-z0-9]*(?:_[a-z0-9]+)*):([a-z]+)(?:\(([^()]*)\))?([?!]*)(?:=(.*))?$/;
const relation = /^([a-z][a-z0-9]*(?:_[a-z0-9]+)*):(ref|parent)\(([a-z0-9-]+)\)(\?)?$/;

/** The row that rows are under, such as the order of an item. */
export interface Parent extends Target {
  /** Name of the relation: `order`. */
  name: string;
  /** Column with its id. */
  column: string;
}

/** Reads `order:parent(orders)`; undefined if it is something else. @throws UsageError */
export function parseParent(text: string): Parent | undefined {
  const [, name = '', type, path = '', isOptional] = relation.exec(text) ?? [];
  if (type !== 'parent') return undefined;
  if (isOptional) throw new UsageError(`${name}: a parent cannot be optional; use ref`);
  return { ...readTarget(path), name, column: `${name}_id` };
}

/** Reads a field such as `price:decimal(10,2)=0`. @throws UsageError */
export function parseField(text: string): Field {
  const [, relationName = '', relationType, path = '', isOptionalRelation] = relation.exec(text) ?? [];
  if (relationType === 'ref')
    return {
      name: `${relationName}_id`,
      type: 'ref',
      args: [path],
      isOptional: isOptionalRelation !== undefined,
      isUnique: false,
      target: readTarget(path),
    };
  const [, name = '', type = '', inner, marks = '', value] = grammar.exec(text) ?? [];
  if (!name || name.length > 50)
    throw new UsageError(
      `a field is name:type, name:type? if it is optional, name:type! if it is unique, or name:type=value, not ${JSON.stringify(text)}`,
    );
  const known = type !== 'ref' && Object.hasOwn(fieldTypes, type) ? fieldTypes[type] : undefined;
  if (!known)
    throw new UsageError(
      `${name}: the type must be ${Object.keys(fieldTypes).join(', ')}(…) or parent(…), not ${type}`,
    );
  const args = inner === undefined ? [] : inner.split(',').map((one) => one.trim());
  if (!(known.checkArgs ?? (() => args.length === 0))(args))
    throw new UsageError(`${name}: ${type}(${args.join(',')}) is not a type: write ${examples[type] ?? type}`);
  const isOptional = marks.includes('?');
  const isUnique = marks.includes('!');
  if (isUnique && (!known.unique || (type === 'integer' && args.length > 0)))
    throw new UsageError(`${name}: a field of type ${type} cannot be unique`);
  if (value !== undefined && isOptional) throw new UsageError(`${name}: ? and a default exclude each other`);
  if (value !== undefined && !known.default?.(value, args))
    throw new UsageError(`${name}: ${value} cannot be the default of a field of type ${type}`);
  return {
    name,
    type,
    args,
    isOptional,
    isUnique,
    default: value ?? (type === 'boolean' && !isOptional ? 'false' : undefined),
  };
}

const examples: Record<string, string> = {
  string: 'string or string(80)',
  integer: 'integer or integer(1,5)',
  decimal: 'decimal(10,2), or decimal(10,2,0) if it must not be negative',
  enum: 'enum(new,paid)',
};
