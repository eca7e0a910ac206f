import { join } from 'node:path';
import type { NextConfig } from 'next';

export default {
  poweredByHeader: false,
  // The client is linked from this repository.
  turbopack: { root: join(import.meta.dirname, '../..') },
} satisfies NextConfig;
