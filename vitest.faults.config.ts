import { defineConfig } from 'vitest/config';

// Faults of production, one after the other. Uses its own PostgreSQL, which it stops and starts, Redis and wrk, and installs them if they are
// missing. Takes about five minutes.
export default defineConfig({
  test: {
    include: ['e2e/faults/*.test.ts'],
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 120_000 } },
  },
});
