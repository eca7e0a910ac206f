import type { Readers } from '../config/variables.ts';

/** Configuration of the product, from variables of the environment. List them in .env.example too. */
export const registeredConfig = (_read: Readers) => ({
  // A line per value, as in ../config/config.ts.
});

/** Variables that can also be given as a file, because they are secrets: `NAME_FILE`. */
export const registeredSecrets: readonly string[] = [];
