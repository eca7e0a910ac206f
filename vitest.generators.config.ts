import { defineConfig } from 'vitest/config';

// Generators of clients, each with its own dependencies, which takes minutes to install.
export default defineConfig({
  test: {
    include: ['e2e/generators/generators.test.ts'],
    testTimeout: 600_000,
    hookTimeout: 300_000,
  },
});
