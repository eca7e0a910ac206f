import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runCommand, type Terminal, UsageError } from '@quoin/db/command';
import { generateSigningKey, readSigningKey, type SigningAlgorithm } from '../config/signing-key.ts';

const usage = `Usage: npm run keys -- generate [--algorithm EdDSA|ES256] --out FILE

Writes a new private key, which only its owner may read, and says how to use it. EdDSA by default.
To replace a key: JWT_PRIVATE_KEY=NEW, and the old one in JWT_PREVIOUS_KEYS until the tokens that it signed have expired.

Exit codes: 0 done, 1 failed, 2 the command was not understood.

Example: npm run keys -- generate --out .data/jwt.pem
`;

async function main({ args, stdout }: Terminal) {
  const { positionals, values } = readArguments(args);
  if (positionals.join() !== 'generate') throw new UsageError('say generate');
  if (!values.out) throw new UsageError('say where to: --out FILE');
  if (values.algorithm !== 'EdDSA' && values.algorithm !== 'ES256')
    throw new UsageError('--algorithm takes EdDSA or ES256');
  stdout.write(write(values.out, values.algorithm));
  return 0;
}

/** Returns what to tell its user. */
function write(file: string, algorithm: SigningAlgorithm): string {
  const pem = generateSigningKey(algorithm);
  writeFileSync(file, pem, { mode: 0o600, flag: 'wx' });
  return `wrote ${file}, key ${readSigningKey(pem).kid}\nJWT_ALGORITHM=${algorithm}\nJWT_PRIVATE_KEY=${file}\n`;
}

function readArguments(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        algorithm: { type: 'string', default: 'EdDSA' },
        out: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

await runCommand({ usage, main, explain });

function explain(error: Error): string | undefined {
  const { code, path } = error as NodeJS.ErrnoException;
  if (code === 'EEXIST') return 'that file exists, and is left as it is';
  return code === 'ENOENT' ? `there is no directory for ${path}` : undefined;
}
