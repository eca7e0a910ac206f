import { createTestDatabase } from './test-database.ts';

/** Migrates once, before the test files start and all want a copy. A server that cannot be reached fails the run here. */
export default async function setup(): Promise<void> {
  const database = await createTestDatabase();
  await database.close();
}
