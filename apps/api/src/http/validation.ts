import type { TSchema } from '@fastify/type-provider-typebox';
import { Ajv, type ErrorObject, type Options } from 'ajv';
import type { FastifyError, FastifyInstance } from 'fastify';
import { type InputError, Problem } from './errors.ts';
import { formats } from './formats.ts';
import { inspectJson } from './json.ts';
import { closed } from './schema.ts';

// What a request must be before a handler sees it: JSON within bounds that the database can store, and valid by the route's schema. Unknown
// fields and unknown query parameters are refused, and nothing in a body is converted.

/** Errors in one answer. Validation stops at this one. */
export const errorsMax = 50;

/** For a format without a `maxLength` beside it. */
const formattedLengthMax = 2_000;

const bodies = compilerOf({ coerceTypes: false });
// Everything in a query or a path is a string, from which numbers and booleans have to be read.
const texts = compilerOf({ coerceTypes: true });

export function requestValidation(app: FastifyInstance) {
  app.setValidatorCompiler(({ schema, httpPart }) => (httpPart === 'body' ? bodies : texts).compile(schema as object));

  app.addHook('onRoute', (route) => {
    if (!(route.schema as { query?: unknown } | undefined)?.query)
      route.schema = { querystring: closed({}), ...route.schema };
  });
  app.addHook('preValidation', ({ body, query }, _reply, done) => {
    const errors = [...boundsErrors('body', body), ...boundsErrors('query', query)];
    done(errors.length > 0 ? validationProblem(errors) : undefined);
  });
}

function boundsErrors(part: InputError['in'], value: unknown): InputError[] {
  const { fault } = inspectJson(value);
  return fault ? [{ in: part, ...fault }] : [];
}

/**
 * Checks the input of a command as a body is checked.
 *
 * @throws Problem `validation_failed`
 */
export function checkBody(schema: TSchema, body: unknown): void {
  const errors = boundsErrors('body', body);
  if (errors.length > 0) throw validationProblem(errors);
  const validate = bodies.compile(schema);
  if (!validate(body)) throw validationProblem(toInputErrors(validate.errors ?? [], 'body'));
}

/** The answer to input that is not valid: the first fault as a sentence, and every fault. */
export function validationProblem(errors: InputError[]): Problem {
  const [first] = errors;
  const detail = first
    ? [first.in, first.pointer, first.message].filter(Boolean).join(' ')
    : 'The request is not valid.';
  return new Problem('validation_failed', detail, { errors });
}

/** What was wrong, in the words of the contract; the values themselves are not repeated. */
export function inputErrors({ validation = [], validationContext }: FastifyError): InputError[] {
  const parts = { body: 'body', querystring: 'query', params: 'path', headers: 'headers' } as const;
  return toInputErrors(
    validation as unknown as ErrorObject[],
    parts[validationContext as keyof typeof parts] ?? 'body',
  );
}

function toInputErrors(errors: ErrorObject[], part: InputError['in']): InputError[] {
  return (
    errors
      // The branches of a oneOf are reported by the line for the whole.
      .filter(({ schemaPath }) => !/\/(oneOf|anyOf)\/\d+\//.test(schemaPath))
      .slice(0, errorsMax)
      .map((error) => ({ in: part, pointer: pointerOf(error), message: messageOf(error) }))
  );
}

function compilerOf(options: Options) {
  const ajv = new Ajv({
    allErrors: true,
    verbose: true,
    useDefaults: true,
    removeAdditional: false,
    allowUnionTypes: true,
    strictRequired: false,
    // The meta-schema has formats of its own.
    validateSchema: false,
    code: { process: stopAtErrorsMax },
    ...options,
  });
  // Ajv's own keywords count the code points of every string to its end, and match patterns and formats on strings that are too long.
  ajv.removeKeyword('maxLength').addKeyword({
    keyword: 'maxLength',
    type: 'string',
    compile: (max: number) => (text: string) =>
      text.length <= max || (!isTooLong(text, max) && [...text].length <= max),
  });
  ajv.removeKeyword('minLength').addKeyword({
    keyword: 'minLength',
    type: 'string',
    compile: (min: number) => (text: string) => text.length >= 2 * min || [...text].length >= min,
  });
  ajv.removeKeyword('pattern').addKeyword({
    keyword: 'pattern',
    type: 'string',
    compile: (pattern: string, { maxLength }) => {
      const expression = new RegExp(pattern, 'u');
      return (text: string) => isTooLong(text, maxLength) || expression.test(text);
    },
  });
  ajv.removeKeyword('format').addKeyword({
    keyword: 'format',
    type: 'string',
    compile: (name: string, { maxLength }) => {
      const isOfFormat = formats[name];
      if (!isOfFormat) throw new Error(`no format is called ${name}`);
      return maxLength === undefined
        ? (text: string) => text.length <= formattedLengthMax && isOfFormat(text)
        : (text: string) => isTooLong(text, maxLength) || isOfFormat(text);
    },
  });
  ajv.addKeyword({
    keyword: 'x-bytes-max',
    type: 'object',
    validate: (bytesMax: number, value: object) => Buffer.byteLength(JSON.stringify(value)) <= bytesMax,
  });
  ajv.addKeyword({
    keyword: 'x-values-max',
    type: 'object',
    validate: (valuesMax: number, value: object) => inspectJson(value).nodes - 1 <= valuesMax,
  });
  return ajv;
}

/** Ajv collects either one error or all of them. In the code that it generates, this returns when there are enough. */
function stopAtErrorsMax(code: string): string {
  const name = /return function (validate\d+)\(/.exec(code)?.[1];
  return name
    ? code.replaceAll('errors++;', `if (++errors >= ${errorsMax}) { ${name}.errors = vErrors; return false; }`)
    : code;
}

/** Whether the keyword `maxLength`, which counts code points, refuses the text in any case: a code point has at most two code units. */
function isTooLong(text: string, maxLength: number | undefined): boolean {
  return maxLength !== undefined && text.length > 2 * maxLength;
}

function pointerOf({ instancePath, params }: ErrorObject): string {
  const name = params.missingProperty ?? params.additionalProperty;
  return typeof name === 'string' ? pointerTo(instancePath, name) : instancePath;
}

/** A JSON pointer to a member of what another one points to (RFC 6901, 3). */
const pointerTo = (pointer: string, name: string) => `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;

const formatMessages: Record<string, string> = {
  email: 'must be an email address',
  uuid: 'must be a UUID',
  bcp47: 'must be a BCP 47 language tag',
  timezone: 'must be an IANA time zone',
};

function messageOf({ keyword, message = 'is not valid', schema }: ErrorObject): string {
  switch (keyword) {
    case 'additionalProperties':
      return 'unknown field';
    case 'required':
      return 'is required';
    case 'maxLength':
      return `must NOT have more than ${schema} characters`;
    case 'minLength':
      return `must NOT have fewer than ${schema} characters`;
    case 'format':
      return formatMessages[schema as string] ?? `must match format "${schema}"`;
    case 'pattern':
      return schema === '\\S' ? 'must not be blank' : `must match pattern "${schema}"`;
    case 'oneOf':
      return `needs exactly one of ${(schema as { required?: string[] }[]).flatMap(({ required = [] }) => required).join(', ')}`;
    case 'anyOf':
      return 'does not match any allowed form';
    case 'x-bytes-max':
      return `must have at most ${schema} bytes as JSON`;
    case 'x-values-max':
      return `must have at most ${schema} values`;
    default:
      return message;
  }
}
