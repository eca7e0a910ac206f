import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { UsageError } from '@quoin/db/command';
import { type Names, namesOf } from './names.ts';
import type { OwnerKind } from './owner.ts';

/** A resource that another one refers to, as its files describe it. */
export interface Target extends Names {
  kind: OwnerKind;
  isPublic: boolean;
  isReadByMembers: boolean;
  /** The path of its list, such as `/users/:user_id/orders`. */
  collection: string;
}

/** Reads a resource of this repository. @throws UsageError if there is none, or if its tests have no function that creates a row */
export function readTarget(path: string): Target {
  const table = path.replaceAll('-', '_');
  const file = globSync('packages/db/src/schema/*.ts').find((one) =>
    readFileSync(one, 'utf8').includes(`tableName: '${table}'`),
  );
  const routes = `apps/api/src/${path}/routes.ts`;
  const fixtures = `apps/api/testing/${path}.ts`;
  if (!file || !existsSync(routes) || !existsSync(fixtures))
    throw new UsageError(`there is no resource ${path} that another one can refer to: ${fixtures} is missing`);
  const names = namesOf({ path, singularPath: basename(file, '.ts') });
  const entity = readFileSync(file, 'utf8');
  const [, collection = ''] = /const collection = '([^']+)'/.exec(readFileSync(routes, 'utf8')) ?? [];
  return {
    ...names,
    kind: /\.\.\.ownedByNobody\(/.test(entity)
      ? 'nobody'
      : /\.\.\.ownedByOrganization\(/.test(entity)
        ? 'organization'
        : 'user',
    isPublic: /isPublic: true|publicRows:/.test(entity),
    isReadByMembers: /memberRows:/.test(entity),
    collection,
  };
}
