import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { entityParts } from './parts/entity.ts';
import { hasReaders, repositoryParts } from './parts/repository.ts';
import { routeParts } from './parts/routes.ts';
import { schemaParts } from './parts/schemas.ts';
import { serviceParts } from './parts/service.ts';
import { testParts } from './parts/test.ts';
import { fixtureParts } from './parts/testing.ts';
import type { Resource } from './resource.ts';

/** Returns the files of a resource by path, not formatted. */
export function resourceFiles(resource: Resource): Map<string, string> {
  const { names, owner } = resource;
  const { path, singularPath } = names;
  const values = merged([
    { ...names },
    entityParts(resource),
    repositoryParts(resource),
    schemaParts(resource),
    serviceParts(resource),
    routeParts(resource),
    testParts(resource),
    fixtureParts(resource),
  ]);
  const fill = (template: string) =>
    readFileSync(join(import.meta.dirname, 'templates', `${template}.template`), 'utf8').replace(
      /\{\{([A-Za-z][\w ]*)\}\}/g,
      (_, name: string) => {
        const value = values[name];
        if (value === undefined) throw new Error(`${template}.template: there is no ${name}`);
        return value;
      },
    );
  const reads = fill('repository-reads');
  const isShared = hasReaders(resource);
  values['own reads'] = isShared
    ? `    ...reads({ db, fast }, { ${owner.column}: ${owner.variable} }),`
    : reads.trimEnd();
  values['shared reads'] = isShared
    ? `/** Reads rows of an owner, or of all. Policies decide which of them are visible. */
const reads = ({ db, fast }: Context, owner: { user_id?: string; organization_id?: string }) => ({
${reads.trimEnd()}
});\n`
    : '';
  values['test head'] = fill(`test-head-${owner.kind}`);
  values['test isolation'] = fill(`test-isolation-${owner.kind}`);
  const isOwned = owner.kind !== 'nobody';
  const feature = `apps/api/src/${path}`;
  return new Map([
    [`packages/db/src/schema/${singularPath}.ts`, fill('entity')],
    [`packages/db/src/repositories/${path}.ts`, fill('repository')],
    [`${feature}/schemas.ts`, fill('schemas')],
    [`${feature}/service.ts`, fill(isOwned ? 'service' : 'nobody-service')],
    [`${feature}/routes.ts`, fill(isOwned ? 'routes' : 'nobody-routes')],
    ...(isShared ? [[`${feature}/reader-routes.ts`, fill('reader-routes')] as const] : []),
    [`${feature}/${path}.test.ts`, fill('test')],
    [`apps/api/testing/${path}.ts`, fill('testing')],
  ]);
}

function merged(parts: Record<string, string>[]): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, value] of parts.flatMap((part) => Object.entries(part))) {
    if (values[name] !== undefined && values[name] !== value) throw new Error(`two parts are called ${name}`);
    values[name] = value;
  }
  return values;
}
