// Repositories of the product, by the scopes in which they exist.

/** `database.as(scope)` of a user. */
export const productOwnerFactories = {
  // Above this line `npm run new -- resource` adds its own: owned by a user.
};

/** `database.as(scope)` of an organization. */
export const productOrganizationFactories = {
  // Above this line `npm run new -- resource` adds its own: owned by an organization.
};

/** `database.public()`. */
export const productPublicFactories = {
  // Above this line `npm run new -- resource` adds its own: read by everybody.
};

/** `database.system()`. */
export const productSystemFactories = {
  // Above this line `npm run new -- resource` adds its own: owned by nobody.
};

/** Embeddings in tables of the product. */
export const productEmbeddingFactories = {
  // Above this line `npm run new -- resource` adds its own: with embeddings.
};
