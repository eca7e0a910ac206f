import { UsageError } from '@quoin/db/command';
import { type Field, fieldTypes } from './field-types.ts';

const grammar = /^([a-z][a-z0-9]*(?:_[a-z0-9]+)*):([a-z]+)(?:\(([^()]*)\))?([?!]*)(?:=(.*))?$/;

/** Reads a field such as `price:decimal(10,2)=0`. @throws UsageError */
export function parseField(text: string): Field {
  const [, name = '', type = '', inner, marks = '', value] = grammar.exec(text) ?? [];
  if (!name || name.length > 50)
    throw new UsageError(
      `a field is name:type, name:type? if it is optional, name:type! if it is unique, or name:type=value, not ${JSON.stringify(text)}`,
    );
  const known = Object.hasOwn(fieldTypes, type) ? fieldTypes[type] : undefined;
  if (!known) throw new UsageError(`${name}: the type must be ${Object.keys(fieldTypes).join(', ')}, not ${type}`);
  const args = inner === undefined ? [] : inner.split(',').map((one) => one.trim());
  if (!(known.checkArgs ?? (() => args.length === 0))(args))
    throw new UsageError(`${name}: ${type}(${args.join(',')}) is not a type: write ${examples[type] ?? type}`);
  const isOptional = marks.includes('?');
  const isUnique = marks.includes('!');
  if (isUnique && !known.unique) throw new UsageError(`${name}: a field of type ${type} cannot be unique`);
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
  decimal: 'decimal(10,2)',
  enum: 'enum(new,paid)',
};
