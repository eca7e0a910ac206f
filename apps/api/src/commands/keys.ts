import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type CommandDefinition, runCommand, UsageError, withProgress } from '@quoin/db/command';
import { ConfigError, parseConfig } from '../config/config.ts';
import { createSealed } from '../config/sealed.ts';
import { generateSigningKey, readSigningKey, type SigningAlgorithm } from '../config/signing-key.ts';
import { resealSecrets } from '../factors/reseal.ts';
import { openDatabase } from '../process/open-database.ts';
import { resealWebhookSecrets } from '../webhooks/reseal.ts';

const usage = `Usage: npm run keys -- generate [--algorithm EdDSA|ES256] --out FILE
       npm run keys -- reseal

generate  Writes a new private key, readable only by its owner, and prints how to use it. The default is EdDSA. To rotate a key, set
          JWT_PRIVATE_KEY to the new one and JWT_PREVIOUS_KEYS to the old one until its tokens have expired.
reseal    After a change of SECRET_KEY: encrypts the secrets of authenticator apps and webhooks with the new one. PREVIOUS_SECRET_KEYS must contain the
          old one; remove it afterwards. The server may run meanwhile, if it has both. With the embedded database, stop it first.

Exit codes: 0 success, 1 failure, 2 wrong usage.

Example: npm run keys -- generate --out .data/jwt.pem
`;

/** @param open opens the database */
export const keysCommand = (open: typeof openDatabase = openDatabase): CommandDefinition => ({
  usage,
  main: async ({ args, env, stdout }) => {
    const { positionals, values } = readArguments(args);
    const [command, ...rest] = positionals;
    if (command === 'reseal' && rest.length === 0) {
      const count = await reseal(env, open);
      stdout.write(`${count} secrets encrypted again\n`);
      return 0;
    }
    if (positionals.join(' ') !== 'generate')
      throw new UsageError(
        command ? `unknown command: ${positionals.join(' ')}` : 'a command is missing: generate or reseal',
      );
    if (!values.out) throw new UsageError('--out FILE is missing');
    if (values.algorithm !== 'EdDSA' && values.algorithm !== 'ES256')
      throw new UsageError('--algorithm must be EdDSA or ES256');
    stdout.write(writeKey(values.out, values.algorithm));
    return 0;
  },
  explain,
});

async function reseal(env: NodeJS.ProcessEnv, open: typeof openDatabase): Promise<number> {
  const config = parseConfig(env);
  const database = await withProgress('opening the database', open(config));
  try {
    const sealed = createSealed(config.secretKey, config.previousSecretKeys);
    return (await resealSecrets(database, sealed)) + (await resealWebhookSecrets(database, sealed));
  } finally {
    await database.close();
  }
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
  if (error instanceof ConfigError) return error.message;
  const { code, path } = error as NodeJS.ErrnoException;
  if (code === 'EEXIST') return `${path} exists already`;
  return code === 'ENOENT' ? `there is no directory for ${path}` : undefined;
}

if (import.meta.main) await runCommand(keysCommand());
