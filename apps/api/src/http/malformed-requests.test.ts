import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { malformedRequestsTotal, startTestApp, type TestApp } from '../../testing/test-app.ts';

// A fuzzer. For every operation of the OpenAPI document, it sends random values and values that its schema generates, then corrupted. `send` checks
// each response against the document.

type Schema = Record<string, unknown>;
interface Operation {
  method: string;
  path: string;
  parameters: { name: string; in: string; schema: Schema }[];
  bodies: [type: string, schema: Schema][];
}

let api: TestApp;
let operations: Operation[];
let tokens: (string | undefined)[];
let ids: string[];
beforeAll(async () => {
  api = await startTestApp();
  const { paths, components } = api.app.swagger() as unknown as {
    paths: Record<string, object>;
    components: { schemas: Record<string, Schema> };
  };
  const resolve = (schema: Schema): Schema =>
    typeof schema.$ref === 'string' ? (components.schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {}) : schema;
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [], requestBody }]) => ({
      method: method.toUpperCase(),
      path,
      parameters,
      bodies: Object.entries<{ schema: Schema }>(requestBody?.content ?? {}).map(
        ([type, { schema }]): [string, Schema] => [type, resolve(schema)],
      ),
    })),
  );
  const [user, admin] = [await api.signUp(), await api.signUpAdmin()];
  const task = await api.send('POST', '/users/me/tasks', { token: user.token, body: { title: 'x' } });
  tokens = [user.token, admin.token, admin.token, undefined, 'garbage'];
  ids = [user.id, task.json().id, '01999999-9999-7999-9999-999999999999', 'me'];
});
afterAll(() => api.close());

const nasty = fc.constantFrom(
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  '🧱'.repeat(300),
  '%00',
  '../..',
  "' or 1=1 --",
  '#{x}',
  '__proto__',
  '\u202e',
  'x'.repeat(20_000),
  '-1',
  '1e309',
  'NaN',
  'null',
  '[]',
  '{}',
);
const anyText = fc.oneof(nasty, fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ maxLength: 20 }));
const anything = fc.oneof(
  fc.anything({
    maxDepth: 4,
    key: anyText,
    values: [anyText, fc.double(), fc.integer(), fc.boolean(), fc.constant(null)],
  }),
  anyText,
);

/** Generates values that match a schema or nearly match it. */
function valuesOf(schema: Schema): fc.Arbitrary<unknown> {
  const type = [schema.type].flat()[0];
  const examples = [schema.examples, schema.enum].flat().filter((example) => example !== undefined);
  const sample = examples.length > 0 ? [fc.constantFrom(...examples)] : [];
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.anyOf) return fc.oneof(...(schema.anyOf as Schema[]).map(valuesOf));
  if (type === 'object') {
    const properties = Object.entries((schema.properties ?? {}) as Record<string, Schema>);
    return fc.record(Object.fromEntries(properties.map(([name, property]) => [name, spoilt(valuesOf(property))])), {
      requiredKeys: [],
    });
  }
  if (type === 'array') return fc.array(valuesOf((schema.items ?? {}) as Schema), { maxLength: 5 });
  if (type === 'integer' || type === 'number') return fc.oneof(...sample, fc.integer(), fc.double());
  if (type === 'boolean') return fc.boolean();
  if (schema.format === 'uuid') return fc.oneof(fc.uuid(), fc.constantFrom(...ids));
  return fc.oneof(...sample, fc.emailAddress(), anyText);
}

const spoilt = (values: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 5, arbitrary: values }, { weight: 1, arbitrary: anything });

function requestsOf({ method, path, parameters, bodies }: Operation) {
  const inPath = parameters.filter((parameter) => parameter.in === 'path');
  const inQuery = parameters.filter((parameter) => parameter.in === 'query');
  const url = fc
    .tuple(
      fc.tuple(
        ...inPath.map(() =>
          fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...ids) }, { weight: 1, arbitrary: anyText }),
        ),
      ),
      fc.record(Object.fromEntries(inQuery.map(({ name, schema }) => [name, spoilt(valuesOf(schema)).map(String)])), {
        requiredKeys: [],
      }),
      fc.dictionary(anyText, anyText, { maxKeys: 1 }),
    )
    .map(([segments, query, more]) => {
      const filled = inPath.reduce(
        (text, { name }, index) => text.replace(`{${name}}`, encode(String(segments[index]))),
        path,
      );
      const search = Object.entries({ ...query, ...(inQuery.length > 0 ? more : {}) }).map(
        ([name, value]) => `${encode(name)}=${encode(String(value))}`,
      );
      return `/${filled}${search.length > 0 ? `?${search.join('&')}` : ''}`;
    });
  const types = fc.constantFrom(...bodies.map(([type]) => type), 'application/json', 'text/plain', 'nonsense');
  const body =
    bodies.length === 0
      ? fc.constant({})
      : fc.oneof(
          ...bodies.map(([type, schema]) =>
            valuesOf(schema).map((value) => ({ headers: { 'content-type': type }, body: write(type, value) })),
          ),
          fc
            .tuple(
              types,
              fc.oneof(
                anyText,
                anything.map((value) => JSON.stringify(value) ?? ''),
              ),
            )
            .map(([type, text]) => ({ headers: { 'content-type': type }, body: text })),
        );
  return fc.record({ method: fc.constant(method), url, token: fc.constantFrom(...tokens), rest: body });
}

const encode = (text: string) => encodeURIComponent(text.toWellFormed()).slice(0, 1500).replace(/%.?$/, '');
function write(type: string, value: unknown): string {
  if (type === 'application/json') return JSON.stringify(value) ?? '';
  const form = new URLSearchParams();
  for (const [name, field] of Object.entries(value as object)) form.append(name, String(field));
  return form.toString();
}

test(`${malformedRequestsTotal} malformed requests get documented responses and no 5xx`, async () => {
  // Keeps the accounts that the other requests need.
  const harmless = operations.filter(
    ({ method, path }) =>
      !/logout|sessions/.test(path) && !(method === 'DELETE' && /users\/(me|\{user_id\})$/.test(path)),
  );
  expect(harmless.length).toBeGreaterThan(20);
  const statuses: Record<number, number> = {};
  const property = fc.asyncProperty(fc.oneof(...harmless.map(requestsOf)), async ({ method, url, token, rest }) => {
    const { statusCode } = await api.send(method, url, {
      token,
      ...(rest as { body?: unknown; headers?: Record<string, string> }),
    });
    statuses[statusCode] = (statuses[statusCode] ?? 0) + 1;
    expect(statusCode).toBeLessThan(500);
  });
  // A fixed seed, so that a failure means a change of the code. Use another seed to send other requests.
  await fc.assert(property, { numRuns: malformedRequestsTotal, seed: 20_261_121 });
  // Some requests passed validation and reached the services.
  for (const status of [200, 201, 400, 401, 403, 404, 415, 422])
    expect(statuses[status], String(status)).toBeGreaterThan(malformedRequestsTotal / 1000);
});
