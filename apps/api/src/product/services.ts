// A later Quoin does not change the files of this folder, so that an update merges without conflicts (docs/upgrading.md).

/** Services of the product: each entry is a function that creates one. */
export const registeredServices = {
  // Above this line `npm run new -- resource` adds its own.
};
