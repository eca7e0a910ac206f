import { defineConfig } from 'vitest/config';

// The examples, installed, built and used in Chromium, which takes minutes.
export default defineConfig({
  test: {
    include: ['examples/*.test.ts'],
    maxWorkers: 1,
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 240_000 } },
  },
});
