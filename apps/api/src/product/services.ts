// Later versions of the foundation do not change the files of this folder, so updates merge without conflicts (docs/upgrading.md).

/** Services of the product: each entry is a function that creates one. */
export const registeredServices = {
  // Above this line `npm run new -- resource` adds its own.
};
