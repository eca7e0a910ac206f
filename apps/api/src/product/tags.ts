/** Tags of the product in the OpenAPI document. */
export const registeredTags: { name: string; description: string }[] = [
  // Above this line `npm run new -- resource` adds its own.
];
