import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

type Operation = { responses: Record<string, { content?: Record<string, { schema: object }>; headers?: object }> };
export interface OpenApiDocument {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
}
interface Answer {
  statusCode: number;
  body: string;
  headers: Record<string, unknown>;
}

const checks = new Map<string, ReturnType<typeof compileCheck>>();

/** Same as `compileCheck`, but compiles once for all applications with the same document. */
export function createAnswerCheck(document: OpenApiDocument) {
  const text = JSON.stringify(document);
  const check = checks.get(text) ?? compileCheck(document);
  checks.set(text, check);
  return check;
}

/**
 * Checks responses against the OpenAPI document: the operation must list the status, and the body must match its schema. Responses of unknown
 * paths and methods are not checked.
 */
function compileCheck(document: OpenApiDocument) {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: 'openapi', components: document.components });
  const operations = Object.entries(document.paths).map(([path, methods]) => ({
    // Paths with longer fixed parts come first: /users/me before /users/{user_id}.
    weight: path.replace(/\{.*?\}/g, '').length,
    pattern: new RegExp(`^${path.replace(/\{.*?\}/g, '[^/]+')}$`),
    methods,
  }));
  const validators = new Map<object, ValidateFunction>();
  const validatorOf = (schema: object) => {
    const known = validators.get(schema);
    if (known) return known;
    const validator = ajv.compile(
      JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"openapi#/components')),
    );
    validators.set(schema, validator);
    return validator;
  };
  operations.sort((one, other) => other.weight - one.weight);

  return (method: string, url: string, { statusCode, body, headers }: Answer): void => {
    const path = url.split('?', 1)[0] ?? '';
    const operation = operations.find(({ pattern }) => pattern.test(path))?.methods[method.toLowerCase()];
    if (!operation) return;
    const where = `${method} ${path} -> ${statusCode}`;
    const response = operation.responses[statusCode];
    if (!response) throw new Error(`${where}: the OpenAPI document does not know this status`);
    const type = String(headers['content-type'] ?? '').split(';', 1)[0] ?? '';
    if (!response.content) {
      if (body !== '') throw new Error(`${where}: the OpenAPI document has no body for it`);
      return;
    }
    const schema = (response.content[type] ?? response.content['*/*'])?.schema;
    if (!schema) throw new Error(`${where}: the OpenAPI document does not know the type ${type}`);
    // Binary responses have no schema.
    if (!/json/.test(type)) return;
    const validate = validatorOf(schema);
    if (!validate(JSON.parse(body))) throw new Error(`${where}: ${ajv.errorsText(validate.errors)} in ${body}`);
  };
}
