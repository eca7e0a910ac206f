import { isUtf8 } from 'node:buffer';
import { isIP } from 'node:net';
import type { TSchema } from '@fastify/type-provider-typebox';
import { Ajv, type ErrorObject, type Options } from 'ajv';
import type { FastifyError, FastifyInstance, FastifyRequest } from 'fastify';
import { isEmail } from '../email.ts';
import { type InputError, Problem } from '../errors.ts';

// What a request must be before a handler sees it: JSON that can be stored as it is, and valid by the route's schema. Nothing is
// dropped, and in a body nothing is converted: what is not known is refused.

const errorsMax = 50;
const depthMax = 64;

const formats = {
  email: isEmail,
  uuid: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i,
  'date-time': isMoment,
  ip: (text: string) => isIP(text) > 0,
  bcp47: isLanguageTag,
  timezone: isTimeZone,
} as const;

const bodies = compilerOf({ coerceTypes: false });
// Everything in a query or a path is a text, which numbers and booleans have to be read from.
const texts = compilerOf({ coerceTypes: true });

export function requestValidation(app: FastifyInstance) {
  app.setValidatorCompiler(({ schema, httpPart }) => (httpPart === 'body' ? bodies : texts).compile(schema as object));

  const parseJson = app.getDefaultJsonParser('error', 'error');
  // Many clients name a content type with every request; where no body is asked for, none is no fault.
  const isIgnored = ({ routeOptions }: FastifyRequest, bytes: Buffer) =>
    bytes.length === 0 && !routeOptions.schema?.body;
  app.removeContentTypeParser(['application/json', 'text/plain']);
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, bytes: Buffer, done) => {
    if (isIgnored(request, bytes)) return done(null);
    if (!isUtf8(bytes)) return done(new Problem('malformed_json', 'The body is not valid JSON in UTF-8.'));
    return parseJson(request, bytes.toString(), done);
  });
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, bytes: Buffer, done) =>
    done(isIgnored(request, bytes) ? null : new Problem('unsupported_media_type', 'Send application/json.')),
  );

  app.addHook('preValidation', ({ body, query }, _reply, done) => {
    const errors = [...unstorable('body', body), ...unstorable('query', query)];
    done(errors.length > 0 ? validationProblem(errors) : undefined);
  });
}

/**
 * Checks what did not come by HTTP as if it had: for the commands.
 *
 * @throws Problem `validation_failed`
 */
export function checkBody(schema: TSchema, body: unknown): void {
  const unkept = unstorable('body', body);
  if (unkept.length > 0) throw validationProblem(unkept);
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
    ...options,
  });
  for (const [name, format] of Object.entries(formats)) ajv.addFormat(name, format);
  return ajv;
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

function messageOf({ keyword, params, message = 'is not valid', schema }: ErrorObject): string {
  switch (keyword) {
    case 'additionalProperties':
      return 'is not known here';
    case 'required':
      return 'is required';
    case 'format':
      return formatMessages[params.format] ?? message;
    case 'pattern':
      return params.pattern === '\\S' ? 'must not be blank' : message;
    case 'oneOf':
      return `needs exactly one of ${(schema as { required?: string[] }[]).flatMap(({ required = [] }) => required).join(', ')}`;
    case 'anyOf':
      return 'is none of what is allowed here';
    default:
      return message;
  }
}

/**
 * What PostgreSQL or we could not keep as it is: NUL characters, halves of surrogate pairs, numbers beyond a double's range, and nesting
 * beyond `depthMax`, at which writing it out again would run out of stack. Walks without recursion, for the same reason.
 */
function unstorable(part: InputError['in'], root: unknown): InputError[] {
  const isText = (text: string) => !text.includes('\0') && text.isWellFormed();
  const pending: { value: unknown; pointer: string; depth: number }[] = [{ value: root, pointer: '', depth: 0 }];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { value, pointer, depth } = next;
    if (typeof value === 'string') {
      if (!isText(value)) return [{ in: part, pointer, message: 'contains characters that cannot be stored' }];
    } else if (typeof value === 'object' && value !== null) {
      if (depth > depthMax) return [{ in: part, pointer: '', message: `is nested deeper than ${depthMax} levels` }];
      // An embedding, which has no names to look at and 768 members.
      if (Array.isArray(value) && value.every(Number.isFinite)) continue;
      for (const [key, child] of Object.entries(value)) {
        if (!isText(key)) return [{ in: part, pointer, message: 'has a name with characters that cannot be stored' }];
        // 1e999 is valid JSON, and would be kept as null.
        if (typeof child === 'number' && !Number.isFinite(child)) {
          return [{ in: part, pointer: pointerTo(pointer, key), message: 'is too large a number' }];
        }
        if (typeof child === 'string' || typeof child === 'object') {
          pending.push({ value: child, pointer: pointerTo(pointer, key), depth: depth + 1 });
        }
      }
    }
  }
  return [];
}

function isLanguageTag(text: string): boolean {
  try {
    return Intl.getCanonicalLocales(text).length === 1;
  } catch {
    return false;
  }
}

function isTimeZone(text: string): boolean {
  if (!/^[A-Za-z]/.test(text)) return false; // "+01:00" is an offset, and knows no summer
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: text }));
  } catch {
    return false;
  }
}

const [firstMoment, lastMoment] = [Date.parse('0001-01-01T00:00:00Z'), Date.parse('9999-12-31T23:59:59Z')];

/**
 * A date and time as ISO 8601 writes them, with its offset from UTC; and one that PostgreSQL takes as well, which knows no 30th of February, no
 * year 0 and no offset of 16 hours.
 */
function isMoment(text: string): boolean {
  const parts = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-](\d\d):[0-5]\d)$/i.exec(text);
  if (!parts) return false;
  const [, date = '', offsetHours = '0'] = parts;
  const isDay = new Date(Date.parse(date) || 0).toISOString().startsWith(date);
  const time = Date.parse(text);
  return isDay && Number(offsetHours) < 16 && time >= firstMoment && time < lastMoment;
}
