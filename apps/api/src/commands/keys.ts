import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { generateSigningKey, readSigningKey, type SigningAlgorithm } from '../signing-key.ts';

const usage = `Usage: npm run keys -- generate [--algorithm EdDSA|ES256] --out FILE

Writes a new private key, which only its owner may read, and says how to use it. EdDSA by default.
To replace a key: JWT_PRIVATE_KEY=NEW, and the old one in JWT_PREVIOUS_KEYS until the tokens that it signed have expired.

Example: npm run keys -- generate --out .data/jwt.pem
`;

class UsageError extends Error {}

function main(): void {
  const { positionals, values } = readArguments();
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  if (positionals.join() !== 'generate') throw new UsageError('say generate');
  if (!values.out) throw new UsageError('say where to: --out FILE');
  if (values.algorithm !== 'EdDSA' && values.algorithm !== 'ES256')
    throw new UsageError('--algorithm takes EdDSA or ES256');
  write(values.out, values.algorithm);
}

function write(file: string, algorithm: SigningAlgorithm): void {
  const pem = generateSigningKey(algorithm);
  writeFileSync(file, pem, { mode: 0o600, flag: 'wx' });
  process.stdout.write(
    `wrote ${file}, key ${readSigningKey(pem).kid}\nJWT_ALGORITHM=${algorithm}\nJWT_PRIVATE_KEY=${file}\n`,
  );
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        algorithm: { type: 'string', default: 'EdDSA' },
        out: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

try {
  main();
} catch (error) {
  const { message, code } = error as Error & { code?: string };
  const isUsage = error instanceof UsageError;
  process.stderr.write(
    isUsage ? `${message}\n\n${usage}` : `${code === 'EEXIST' ? 'that file exists, and is left as it is' : message}\n`,
  );
  process.exitCode = isUsage ? 2 : 1;
}
