import { defineConfig } from 'vitest/config';

// What others build with this: the packages in projects of their own, a resource that was generated, a product under a name of its own. Each is
// installed and run as its user would, which takes minutes.
export default defineConfig({
  test: {
    include: ['e2e/downstream/*.test.ts'],
    maxWorkers: 2,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
