import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// Keeps compiled code in node_modules, which shortens the next start by a third. This file is JavaScript, so nothing is compiled before that. The folder for
// temporary files would let other users of the machine plant code. Without write access, as in a container, nothing is kept.
enableCompileCache(join(import.meta.dirname, '../../../node_modules/.cache/quoin'));
await import('./process/server.ts');
