/** Error codes of the product, each with its HTTP status and title. */
export const registeredProblems = {
  // out_of_stock: { status: 409, title: 'Out of stock' },
} as const;
