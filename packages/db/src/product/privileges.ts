/** What `quoin_app` may do with a table of the product, if not everything. */
export const productPrivileges: Record<string, string> = {
  // Above this line `npm run new -- resource` adds its own: owned by nobody.
};
