import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runCommand, type Terminal, UsageError } from '@quoin/db/command';
import { generateSigningKey, readSigningKey, type SigningAlgorithm } from '../config/signing-key.ts';

const usage = `Usage: npm run keys -- generate [--algorithm EdDSA|ES256] --out FILE

Writes a new private key, readable only by its owner, and prints how to use it. The default is EdDSA.
To rotate a key, set JWT_PRIVATE_KEY to the new one and JWT_PREVIOUS_KEYS to the old one until its tokens have expired.

Exit codes: 0 success, 1 failure, 2 wrong usage.

Example: npm run keys -- generate --out .data/jwt.pem
`;

async function main({ args, stdout }: Terminal) {
  const { positionals, values } = readArguments(args);
  if (positionals.join(' ') !== 'generate')
    throw new UsageError(
      positionals[0] ? `unknown command: ${positionals.join(' ')}` : 'a command is missing: generate',
    );
  if (!values.out) throw new UsageError('--out FILE is missing');
  if (values.algorithm !== 'EdDSA' && values.algorithm !== 'ES256')
    throw new UsageError('--algorithm must be EdDSA or ES256');
  stdout.write(writeKey(values.out, values.algorithm));
  return 0;
}

/** Returns how to use the key. */
function writeKey(file: string, algorithm: SigningAlgorithm): string {
  const pem = generateSigningKey(algorithm);
  writeFileSync(file, pem, { mode: 0o600, flag: 'wx' });
  return `wrote ${file}, key ${readSigningKey(pem).kid}\nJWT_ALGORITHM=${algorithm}\nJWT_PRIVATE_KEY=${file}\n`;
}

const readArguments = (args: string[]) =>
  parseArgs({
    args,
    allowPositionals: true,
    options: {
      algorithm: { type: 'string', default: 'EdDSA' },
      out: { type: 'string' },
    },
  });

function explain(error: Error): string | undefined {
  const { code, path } = error as NodeJS.ErrnoException;
  if (code === 'EEXIST') return `${path} exists already`;
  return code === 'ENOENT' ? `there is no directory for ${path}` : undefined;
}

await runCommand({ usage, main, explain });
