import { defineConfig } from 'vitest/config';

// What goes wrong in production, one fault after the other: on a PostgreSQL of its own, which is stopped and started, and with Redis and
// wrk, all of which are installed where they are missing. Some four minutes.
export default defineConfig({
  test: {
    include: ['e2e/faults/*.test.ts'],
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
