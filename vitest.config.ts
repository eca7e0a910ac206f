import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{packages,apps}/*/src/**/*.test.ts', 'scripts/*.test.ts', 'e2e/*.test.ts'],
    globalSetup: './packages/db/src/testing-setup.ts',
    // Each embedded database takes about half a gigabyte.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
