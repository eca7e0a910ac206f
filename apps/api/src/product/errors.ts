/** Error codes of the product, each with its HTTP status and title. */
export const productProblems = {
  // out_of_stock: { status: 409, title: 'Out of stock' },
} as const;
