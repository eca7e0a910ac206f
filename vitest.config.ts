import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{packages,apps}/*/src/**/*.test.ts', 'scripts/**/*.test.ts', 'e2e/*.test.ts'],
    globalSetup: './packages/db/src/testing-setup.ts',
    // Each embedded database takes about half a gigabyte.
    maxWorkers: 2,
    // Some tests start and stop a dozen processes.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
