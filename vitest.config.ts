import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{packages,apps}/*/src/**/*.test.ts', 'scripts/**/*.test.ts', 'e2e/*.test.ts'],
    globalSetup: './packages/db/testing/global-setup.ts',
    // Each embedded database takes about half a gigabyte.
    maxWorkers: 3,
    // Files share a process, its modules and the compiled embedded database, whose code is not worth optimizing for a minute.
    isolate: false,
    execArgv: ['--liftoff-only'],
    // Only for tests that hang: a slow machine takes five times as long as a fast one.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 240_000 } },
  },
});
