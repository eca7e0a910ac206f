import { isRefusedByPolicy } from '@quoin/db';
import { forbidden } from '../http/errors.ts';
import { mapLastOwner } from '../users/last-owner.ts';

/** Runs a change of members or invitations. @throws Problem `forbidden` if a policy refuses it, `last_owner` */
export async function mapRefusals<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await mapLastOwner(work);
  } catch (error) {
    throw isRefusedByPolicy(error) ? forbidden() : error;
  }
}
