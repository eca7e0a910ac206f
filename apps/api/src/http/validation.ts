import type { TSchema } from '@fastify/type-provider-typebox';
import { Ajv, type ErrorObject, type Options } from 'ajv';
import type { FastifyError, FastifyInstance } from 'fastify';
import { type InputError, Problem } from './errors.ts';
import { formats } from './formats.ts';
import { inspectJson } from './json.ts';
import { closed } from './schema.ts';

// Validates requests before a handler runs: bounds on JSON that the database can store, then the route's schema. Unknown fields and query
// parameters are rejected. Values in a body are never converted.

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A request without a body counts as one with an empty object. */
    isBodyOptional?: boolean;
  }
}

/** Maximum number of errors in one response. Validation stops there. */
export const errorsMax = 50;

/** Maximum length of a string with a format and without `maxLength`. */
const formattedLengthMax = 2_000;

const bodies = compilerOf({ coerceTypes: false });
// Values in a query or a path are strings, so numbers and booleans are converted.
const texts = compilerOf({ coerceTypes: true });

export function requestValidation(app: FastifyInstance) {
  app.setValidatorCompiler(({ schema, httpPart }) => (httpPart === 'body' ? bodies : texts).compile(schema as object));

  app.addHook('onRoute', (route) => {
    if (!(route.schema as { query?: unknown } | undefined)?.query)
      route.schema = { querystring: closed({}), ...route.schema };
  });
  app.addHook('preValidation', (request, _reply, done) => {
    if (request.routeOptions.config.isBodyOptional) request.body ??= {};
    const { body, query } = request;
    const errors = [...boundsErrors('body', body), ...boundsErrors('query', query)];
    done(errors.length > 0 ? validationProblem(errors) : undefined);
  });
}

function boundsErrors(part: InputError['in'], value: unknown): InputError[] {
  const { fault } = inspectJson(value);
  return fault ? [{ in: part, ...fault }] : [];
}

/**
 * Validates the input of a command in the same way as a body.
 *
 * @throws Problem `validation_failed`
 */
export function checkBody(schema: TSchema, body: unknown): void {
  const errors = boundsErrors('body', body);
  if (errors.length > 0) throw validationProblem(errors);
  const validate = bodies.compile(schema);
  if (!validate(body)) throw validationProblem(toInputErrors(validate.errors ?? [], 'body'));
}

/** Returns the error for invalid input: the first error as its detail, and all errors. */
export function validationProblem(errors: InputError[]): Problem {
  const [first] = errors;
  const detail = first
    ? [first.in, first.pointer, first.message].filter(Boolean).join(' ')
    : 'The request is not valid.';
  return new Problem('validation_failed', detail, { errors });
}

/** Converts Ajv's errors. They do not contain the values, which can be secrets. */
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
      // The error of the whole oneOf covers those of its branches.
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
    // The meta-schema uses formats that are not defined here.
    validateSchema: false,
    code: { process: stopAtErrorsMax },
    ...options,
  });
  // Replaces Ajv's keywords, which count the code points of the whole string, and match patterns and formats even if the string is too long.
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
  // `x-format` is for formats that JSON Schema does not define.
  ajv.removeKeyword('format').addKeyword({
    keyword: ['format', 'x-format'],
    type: 'string',
    compile: (name: string, { maxLength }) => {
      const isOfFormat = formats[name];
      if (!isOfFormat) throw new Error(`no format is called ${name}`);
      return maxLength === undefined
        ? (text: string) => text.length <= formattedLengthMax && isOfFormat(text)
        : (text: string) => isTooLong(text, maxLength) || isOfFormat(text);
    },
  });
  // Generators of clients understand neither `oneOf` beside properties nor `required` in it.
  ajv.addKeyword({
    keyword: 'x-exactly-one-of',
    type: 'object',
    validate: (names: string[], value: object) => names.filter((name) => Object.hasOwn(value, name)).length === 1,
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

/** Ajv reports either the first error or all. This makes its generated code return after `errorsMax`. */
function stopAtErrorsMax(code: string): string {
  const name = /return function (validate\d+)\(/.exec(code)?.[1];
  return name
    ? code.replaceAll('errors++;', `if (++errors >= ${errorsMax}) { ${name}.errors = vErrors; return false; }`)
    : code;
}

/** Whether a text exceeds `maxLength` without counting: a code point has at most two code units. */
function isTooLong(text: string, maxLength: number | undefined): boolean {
  return maxLength !== undefined && text.length > 2 * maxLength;
}

function pointerOf({ instancePath, params }: ErrorObject): string {
  const name = params.missingProperty ?? params.additionalProperty;
  return typeof name === 'string' ? pointerTo(instancePath, name) : instancePath;
}

/** Returns the JSON pointer to a member of the value at another pointer (RFC 6901, 3). */
const pointerTo = (pointer: string, name: string) => `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;

const formatMessages: Record<string, string> = {
  email: 'must be an email address',
  uuid: 'must be a UUID',
  date: 'must be a date such as 2026-11-20',
  uri: 'must be an http or https URL',
  int64: 'must be a whole number of 64 bits, as a string',
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
    case 'x-format':
      return formatMessages[schema as string] ?? `must match format "${schema}"`;
    case 'pattern':
      return schema === '\\S' ? 'must not be blank' : `must match pattern "${schema}"`;
    case 'x-exactly-one-of':
      return `needs exactly one of ${(schema as string[]).join(', ')}`;
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
