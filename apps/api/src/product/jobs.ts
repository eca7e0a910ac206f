/** Jobs of the product: each entry is a function that defines one. */
export const productJobs = {
  // Above this line `npm run new -- job` adds its own.
};
