/** Tables of the product. A later Quoin does not change the files of this folder. */
export const productEntities = [
  // Above this line `npm run new -- resource` adds its own.
];
