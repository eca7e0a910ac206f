/** Routes of the product: each entry is a function that registers some. */
export const registeredRoutes = [
  // Above this line `npm run new -- resource` adds its own.
];
