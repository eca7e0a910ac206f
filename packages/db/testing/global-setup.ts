import { prepareTestDatabases } from './test-database.ts';

/** Migrates once before the test files start, because all of them need a copy. An unreachable server fails the run here. */
export default prepareTestDatabases;
