import { violatedConstraint } from '@quoin/db';
import { Problem } from '../http/errors.ts';

export const lastOwner = (cause?: unknown) =>
  new Problem(
    'last_owner',
    'An organization needs an owner. Make another member an owner, or delete the organization.',
    { cause },
  );

/** Runs `work`. The database refuses to leave an organization without an owner. @throws Problem `last_owner` */
export async function mapLastOwner<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw violatedConstraint(error) === 'last_owner' ? lastOwner(error) : error;
  }
}
