import { defineConfig } from 'vitest/config';

// What others build with Quoin: the packages in other projects, a generated resource, a generated product. Each test installs and runs them
// as a user does, which takes minutes.
export default defineConfig({
  test: {
    include: ['e2e/downstream/*.test.ts'],
    maxWorkers: 2,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
