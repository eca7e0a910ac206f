/** What an API key can be allowed to do with the resources of the product. */
export const registeredScopes = [
  // Above this line `npm run new -- resource` adds its own.
] as const;
