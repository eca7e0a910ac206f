import type { Database } from '@quoin/db';
import type { Config } from '../config/config.ts';
import type { registeredJobs } from './jobs.ts';

type Jobs = typeof registeredJobs;

/** What routes of the product get besides their services. */
export interface RouteContext {
  config: Config;
  database: Database;
  clock: () => Date;
  /** Kinds of jobs of the product, by their names in `jobs.ts`. */
  jobKinds: { readonly [Name in keyof Jobs]: Jobs[Name] extends (dependencies: never) => infer Kind ? Kind : never };
}
