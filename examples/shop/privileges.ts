/** What `quoin_app` may do with a table of the product, if not everything. */
export const productPrivileges: Record<string, string> = {
  // Placing an order writes these in database.system().
  orders: 'select, update (address, organization_id)',
  order_items: 'select',
  // Above this line `npm run new -- resource` adds its own: owned by nobody.
};
