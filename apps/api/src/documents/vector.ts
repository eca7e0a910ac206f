import { toUnitVector, type Vector } from '@quoin/db';
import { invalid } from '../http/errors.ts';

/** Returns the embedding of a request, scaled to length 1. @throws Problem `validation_failed` if all numbers are zero */
export function toVector(embedding: readonly number[], pointer: string): Vector {
  const vector = toUnitVector(embedding);
  if (!vector) throw invalid(pointer, 'must not be all zeros');
  return vector;
}
