import { globSync, readFileSync } from 'node:fs';
import { lockWarnings } from '@quoin/db';

// A migration that others have to wait for, or break by, says so in its comment, so that whoever writes it has thought of it. Exits with 1
// and a line for each that does not.

const faults: string[] = [];
for (const file of globSync('packages/db/src/migrations/*.ts')) {
  const text = readFileSync(file, 'utf8');
  const [comment = ''] = text.split('export const up');
  const [, up = ''] = /export const up = `([\s\S]*?[^\\])`;/.exec(text) ?? [];
  if (/\block/i.test(comment)) continue;
  for (const warning of lockWarnings(up))
    faults.push(`${file}: ${warning}; see docs/operations.md, and say in its comment why the lock does no harm`);
}

process.stdout.write(faults.length > 0 ? `${faults.join('\n')}\n` : 'no migration locks a table unawares\n');
process.exitCode = faults.length > 0 ? 1 : 0;
