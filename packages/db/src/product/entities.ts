/** Tables of the product. Later versions of the foundation do not change the files of this folder. */
export const productEntities = [
  // Above this line `npm run new -- resource` adds its own.
];
