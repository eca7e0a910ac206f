import { type CommandDefinition, runCommand, UsageError, withProgress } from '@quoin/db/command';
import { createSessions } from '../auth/session-service.ts';
import { ConfigError, parseConfig } from '../config/config.ts';
import { openDatabase } from '../process/open-database.ts';

const usage = `Usage: npm run sessions -- end-all

Ends every session of every user: access and refresh tokens stop working with the next request. Run it after a leak of SECRET_KEY, of a signing key or of the
database. (A new SECRET_KEY alone does not end sessions whose access tokens are signed with EdDSA or ES256.)
With the embedded database, stop the server first. Exit codes: 0 success, 1 failure, 2 wrong usage.

Example: npm run sessions -- end-all
`;

/** @param open opens the database */
export const sessionsCommand = (open: typeof openDatabase = openDatabase): CommandDefinition => ({
  usage,
  main: async ({ args, env, stdout }) => {
    if (args.join(' ') !== 'end-all')
      throw new UsageError(args[0] ? `unknown command: ${args.join(' ')}` : 'a command is missing: end-all');
    const config = parseConfig(env);
    const database = await withProgress('opening the database', open(config));
    try {
      const ended = await createSessions({ database, config, clock: () => new Date() }).endAll();
      stdout.write(`ended ${ended} sessions\n`);
      return 0;
    } finally {
      await database.close();
    }
  },
  explain: (error) => (error instanceof ConfigError ? error.message : undefined),
});

if (import.meta.main) await runCommand(sessionsCommand());
