import { decimalPattern, decimals, fixed, grouped, number, range } from './numbers.ts';
import type { Target } from './target.ts';

// The types of fields that `npm run new -- resource` knows: the column, the schema, and values for tests.

export interface Field {
  name: string;
  type: string;
  /** What is in parentheses after the type. */
  args: string[];
  /** Whether the field may be null. */
  isOptional: boolean;
  /** Whether each owner has a value once. */
  isUnique: boolean;
  /** Whether lists can be filtered by it, besides booleans. */
  isFiltered?: boolean;
  /** Whether the code of the product writes it, and no client. */
  isReadOnly?: boolean;
  /** Value of a new row without this field. */
  default?: string | undefined;
  /** The resource that a `ref` refers to. */
  target?: Target;
}

interface FieldType {
  /** Throws if the arguments are wrong. */
  checkArgs?: (args: string[]) => boolean;
  column: (args: string[]) => string;
  /** The schema, with the description and the example in `about`. */
  schema: (args: string[], about: string, meaning: string) => string;
  /** An example value, and another one, as code. */
  samples: (field: Field) => [string, string];
  /** A value that no other row has, from the counter `n`, as code. Undefined: the field cannot be unique. */
  unique?: (field: Field) => string;
  /** What validation refuses: its name, and the value as code. */
  refused: (args: string[]) => [what: string, value: string][];
  /** Reads a default; returns it as an argument of `.default()`, and as its value in JSON. Undefined if it is not a value of the type. */
  default?: (text: string, args: string[]) => { column: string; json: string } | undefined;
  /** Type of a filter in TypeScript. Undefined: lists cannot be filtered by it. */
  filter?: (args: string[]) => string;
  /** Condition of the column that a constraint checks, after its name. */
  check?: (args: string[]) => string | undefined;
  /** Whether lists are searched (`q`) in it. */
  isSearched?: boolean;
  /** Type of the column, by which lists can be sorted. Undefined: they cannot. */
  sort?: string;
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
const titleOf = ({ name }: Field) => capital(name.replaceAll('_', ' '));
const quotedDefault = (pattern: RegExp) => (text: string) =>
  pattern.test(text) ? { column: `.default('${text}')`, json: `'${text}'` } : undefined;
const rawDefault = (pattern: RegExp) => (text: string) =>
  pattern.test(text) ? { column: `.default(${text})`, json: text } : undefined;
/** The length of a `string`. */
const lengthOf = (args: string[]) => number(args[0] ?? '200');
export const fieldTypes: Record<string, FieldType> = {
  string: {
    checkArgs: (args) => args.length < 2 && lengthOf(args) >= 1 && lengthOf(args) <= 10_000,
    column: (args) => `p.string().length(${lengthOf(args)})`,
    schema: (args, about) => `Type.String({ minLength: 1, maxLength: ${lengthOf(args)}, pattern: '\\\\S', ${about} })`,
    samples: (field) => {
      const cut = (text: string) => `'${text.slice(0, lengthOf(field.args)).trim()}'`;
      return [cut(titleOf(field)), cut(`Another ${titleOf(field).toLowerCase()}`)];
    },
    unique: () => 'String(n)',
    refused: (args) => [
      ['blank', "' \\n\\t'"],
      [`of ${(lengthOf(args) + 1).toLocaleString('en')} characters`, `'🧱'.repeat(${lengthOf(args) + 1})`],
      ['with a NUL', "'x\\0'"],
    ],
    default: quotedDefault(/^[\w .-]+$/),
    filter: () => 'string',
    isSearched: true,
    sort: 'varchar',
  },
  text: {
    column: () => 'p.text()',
    schema: (_, about) => `Type.String({ maxLength: 10_000, ${about} })`,
    samples: (field) => [`'${titleOf(field)}, at length'`, `'More ${titleOf(field).toLowerCase()}'`],
    refused: () => [
      ['of 10,001 characters', "'x'.repeat(10_001)"],
      ['with a NUL', "'x\\0'"],
    ],
    default: quotedDefault(/^[\w .-]+$/),
    isSearched: true,
  },
  boolean: {
    column: () => 'p.boolean()',
    schema: (_, about) => `Type.Boolean({ ${about} })`,
    samples: () => ['true', 'false'],
    refused: () => [['as a text', "'true'"]],
    default: rawDefault(/^(true|false)$/),
    filter: () => 'boolean',
  },
  integer: {
    checkArgs: (args) => args.length === 0 || (args.length === 2 && range(args).min < range(args).max),
    column: () => 'p.integer()',
    schema: (args, about) =>
      `Type.Integer({ minimum: ${grouped(range(args).min)}, maximum: ${grouped(range(args).max)}, ${about} })`,
    samples: ({ args }) => (args.length > 0 ? [grouped(range(args).max), grouped(range(args).min)] : ['42', '-7']),
    unique: () => 'n',
    refused: (args) => [
      ['a fraction', '0.5'],
      ['out of range', grouped(range(args).max + 1)],
      ...(args.length > 0 ? [['too small', grouped(range(args).min - 1)] as [string, string]] : []),
    ],
    default: (text, args) => {
      const isInRange = /^-?\d{1,10}$/.test(text) && Number(text) >= range(args).min && Number(text) <= range(args).max;
      return isInRange ? { column: `.default(${Number(text)})`, json: String(Number(text)) } : undefined;
    },
    check: (args) => (args.length > 0 ? `between ${range(args).min} and ${range(args).max}` : undefined),
    filter: () => 'number',
    sort: 'integer',
  },
  bigint: {
    column: () => "p.string().columnType('bigint')",
    schema: (_, about) => `Type.String({ maxLength: 20, pattern: '^-?\\\\d{1,19}$', 'x-format': 'int64', ${about} })`,
    samples: () => ["'9007199254740993'", "'-7'"],
    unique: () => 'String(n)',
    refused: () => [
      ['a number', '1'],
      ['out of range', "'9223372036854775808'"],
      ['a word', "'many'"],
    ],
    default: (text) =>
      /^-?\d{1,18}$/.test(text) ? { column: `.defaultRaw('${text}')`, json: `'${BigInt(text)}'` } : undefined,
    filter: () => 'string',
    sort: 'bigint',
  },
  number: {
    column: () => "p.float().columnType('double precision')",
    schema: (_, about) => `Type.Number({ ${about} })`,
    samples: () => ['1.5', '-0.25'],
    refused: () => [['as a text', "'1'"]],
    default: rawDefault(/^-?\d{1,9}(\.\d{1,6})?$/),
    sort: 'double precision',
  },
  decimal: {
    checkArgs: (args) => {
      const { precision, scale } = decimals(args);
      return (args.length === 2 || args[2] === '0') && args.length < 4 && precision <= 100 && scale < precision;
    },
    column: (args) => `p.string().columnType('numeric(${args.slice(0, 2).join(',')})')`,
    schema: (args, about) =>
      `Type.String({ maxLength: ${decimals(args).precision + 3}, pattern: '${decimalPattern(args).replaceAll('\\', '\\\\')}', ${about} })`,
    samples: ({ args }) => [`'${fixed(1.5, args)}'`, `'${fixed(decimals(args).isSigned ? -2 : 0, args)}'`],
    refused: (args) => [
      ['a number', '1.5'],
      ['with too many digits', `'${'9'.repeat(decimals(args).precision - decimals(args).scale + 1)}'`],
      ['a word', "'much'"],
      ...(decimals(args).isSigned ? [] : [['negative', "'-1'"] as [string, string]]),
    ],
    check: (args) => (decimals(args).isSigned ? undefined : '>= 0'),
    default: (text, args) =>
      new RegExp(decimalPattern(args)).test(text)
        ? { column: `.defaultRaw('${text}')`, json: `'${fixed(Number(text), args)}'` }
        : undefined,
    sort: 'numeric',
  },
  date: {
    column: () => "p.string().columnType('date')",
    schema: (_, about) => `Type.String({ format: 'date', ${about} })`,
    samples: () => ["'2026-11-20'", "'2031-02-03'"],
    refused: () => [
      ['a word', "'yesterday'"],
      ['30 February', "'2026-02-30'"],
    ],
    filter: () => 'string',
    sort: 'date',
  },
  timestamp: {
    column: () => 'timestamp()',
    schema: (_args, _about, meaning) => `Timestamp('${meaning}.')`,
    samples: () => ["'2026-11-20T09:30:00.000Z'", "'2031-02-03T04:05:06.789Z'"],
    refused: () => [
      ['a word', "'yesterday'"],
      ['30 February', "'2026-02-30T00:00:00Z'"],
    ],
    sort: 'timestamptz',
  },
  enum: {
    checkArgs: (args) =>
      args.length > 0 && args.every((one) => /^[a-z][a-z0-9_-]{0,49}$/.test(one)) && new Set(args).size === args.length,
    column: (args) => `p.string().length(${Math.max(...args.map((one) => one.length))})`,
    schema: (args, about) => `oneOf([${args.map((one) => `'${one}'`).join(', ')}], { ${about} })`,
    samples: ({ args }) => [`'${args[0]}'`, `'${args[1] ?? args[0]}'`],
    refused: () => [['another word', "'something else'"]],
    default: (text, args) => (args.includes(text) ? { column: `.default('${text}')`, json: `'${text}'` } : undefined),
    filter: (args) => args.map((one) => `'${one}'`).join(' | '),
    check: (args) => `in (${args.map((one) => `'${one}'`).join(', ')})`,
  },
  email: {
    column: () => 'p.string().length(255)',
    schema: (_, about) => `Type.String({ format: 'email', maxLength: 255, ${about} })`,
    samples: () => ["'ada@example.com'", "'grace@example.com'"],
    unique: () => `\`ada\${n}@example.com\``,
    refused: () => [['no address', "'ada at example.com'"]],
    filter: () => 'string',
  },
  url: {
    column: () => 'p.string().length(2000)',
    schema: (_, about) => `Type.String({ format: 'uri', maxLength: 2_000, ${about} })`,
    samples: () => ["'https://example.com/a'", "'https://example.com/b?c=d'"],
    unique: () => `\`https://example.com/\${n}\``,
    refused: () => [
      ['of another scheme', "'javascript:alert(1)'"],
      ['no URL', "'example'"],
    ],
  },
  json: {
    column: () => 'p.json<Record<string, unknown>>()',
    schema: (_, about) =>
      `Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true, 'x-bytes-max': 16_384, 'x-values-max': 1_000, ${about} })`,
    samples: () => ["{ size: 'L', tags: [1, 2] }", '{}'],
    refused: () => [
      ['a text', "'{}'"],
      ['of 16 KiB', "{ a: 'x'.repeat(16_384) }"],
    ],
  },
  uuid: {
    column: () => 'p.uuid()',
    schema: (_args, _about, meaning) => `Id('${meaning}.')`,
    samples: () => ["'0199e0f5-7c1e-7b3a-9a53-0f5ce9a1c2d4'", "'0199e0f5-7c1e-7b3a-9a53-0f5ce9a1c2d5'"],
    unique: () => 'crypto.randomUUID()',
    refused: () => [['no UUID', "'0199e0f5'"]],
    filter: () => 'string',
  },
  /** Of the entity, only the column's name is used: the relation is written elsewhere. */
  ref: {
    column: () => 'p.uuid()',
    schema: (_args, _about, meaning) => `Id('${meaning}.')`,
    samples: () => ["'0199e0f5-7c1e-7b3a-9a53-0f5ce9a1c2d4'", "'0199e0f5-7c1e-7b3a-9a53-0f5ce9a1c2d5'"],
    refused: () => [['no UUID', "'0199e0f5'"]],
    filter: () => 'string',
  },
};

export const typeOf = ({ type }: Pick<Field, 'type'>): FieldType => {
  const known = fieldTypes[type];
  if (!known) throw new Error(`there is no type ${type}`);
  return known;
};
