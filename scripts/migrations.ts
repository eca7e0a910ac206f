import { globSync, readFileSync } from 'node:fs';
import { lockWarnings } from '@quoin/db';

// Every migration says in its leading comment whether old code keeps working. One that locks a table for long also says why the lock is harmless. Exits with 1
// and a line for every migration that does not.

const violations: string[] = [];
for (const file of globSync('packages/db/src/migrations/*.up.sql')) {
  const text = readFileSync(file, 'utf8');
  const [comment = ''] = /^(--.*\n)*/.exec(text) ?? [];
  if (!/\bold code\b/i.test(comment))
    violations.push(`${file}: say in the leading comment whether old code keeps working`);
  if (/\block/i.test(comment)) continue;
  for (const warning of lockWarnings(text))
    violations.push(
      `${file}: ${warning}; see docs/operations.md, and say in the leading comment why the lock is harmless`,
    );
}

process.stdout.write(
  violations.length > 0 ? `${violations.join('\n')}\n` : 'migrations: comments and locks are in order\n',
);
process.exitCode = violations.length > 0 ? 1 : 0;
