import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// What was compiled is kept beside what is installed, which takes a third off the next start; this file is JavaScript so that nothing has
// to be compiled before that. Not in the system's folder for temporary files, where somebody else could put code for us to run. Where
// nothing can be written, as in a container, nothing is kept.
enableCompileCache(join(import.meta.dirname, '../../../node_modules/.cache/quoin'));
await import('./process/server.ts');
