/** What `quoin_app` may do with a table of the product, if not everything. */
export const productPrivileges: Record<string, string> = {};
