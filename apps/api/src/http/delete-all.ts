const perBatch = 1_000;

/** Deletes rows in batches, so that no transaction is long. `deleteSome` deletes at most `limit` rows and resolves to their number. Resolves to the total. */
export async function deleteAll(deleteSome: (limit: number) => Promise<number>): Promise<number> {
  let total = 0;
  for (let deleted = perBatch; deleted === perBatch; total += deleted) deleted = await deleteSome(perBatch);
  return total;
}
