import { violatedConstraint } from '@quoin/db';
import { Problem } from './errors.ts';

/**
 * Runs a change of a row with unique fields.
 *
 * @param fields by the name of the constraint, as clients see them
 * @throws Problem `already_exists`
 */
export async function mapDuplicates<T>(fields: Record<string, string>, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const field = fields[violatedConstraint(error) ?? ''];
    if (field === undefined) throw error;
    throw new Problem('already_exists', `Another one has the same ${field}.`, { cause: error });
  }
}
