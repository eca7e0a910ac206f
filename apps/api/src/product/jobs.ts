/** Jobs of the product: each entry is a function that defines one. */
export const registeredJobs = {
  // Above this line `npm run new -- job` adds its own.
};
