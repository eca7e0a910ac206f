import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import type { Database, User } from '@quoin/db';
import { type CommandDefinition, runCommand, type Terminal, UsageError, withProgress } from '@quoin/db/command';
import { ConfigError, parseConfig } from '../config/config.ts';
import { noClient } from '../http/client.ts';
import { isEmail, normalizeEmail } from '../http/email.ts';
import { Problem } from '../http/errors.ts';
import { createPages } from '../http/page.ts';
import { createLimiter } from '../http/throttle/limiter.ts';
import { checkBody } from '../http/validation.ts';
import { createOutbox } from '../mail/outbox.ts';
import { createPasswords } from '../passwords/passwords.ts';
import { openDatabase } from '../process/open-database.ts';
import { NewUser } from '../users/schemas.ts';
import { createUsers } from '../users/service.ts';
import { importUsers } from './import-users.ts';

const usage = `Usage: npm run user -- COMMAND

  create --email E [--username U] [--full-name N] [--admin]   make an account
  set-admin --email E [--revoke]                              make an account an admin's (or no longer)
  deactivate --email E                                        end its sessions; it may not sign in any more
  list [--email PART] [--admin]                               accounts, newest first
  import                                                      accounts from standard input, one JSON object a line:
                                                              email, password_hash (bcrypt or Argon2), username?, full_name?,
                                                              is_active?, is_admin?, email_verified_at?

The password is asked for on a terminal, or read from standard input: the whole of it, less one line break at its end.
On the embedded database, stop the server first. Exit codes: 0 done, 1 failed, 2 the command was not understood.

Example: npm run user -- create --email ada@example.com --admin
`;

/** @param open opens the database; a test passes one that is open already */
export const userCommand = (open: typeof openDatabase = openDatabase): CommandDefinition => ({
  usage,
  main: async (terminal) => {
    const { positionals, values } = readArguments(terminal.args);
    const [command, ...rest] = positionals;
    const run = command === undefined ? undefined : commands[command];
    if (!run || rest.length > 0) throw new UsageError(run ? `what is ${rest.join(' ')}?` : 'say which command');
    if (!withoutEmail.includes(command ?? '') && !isEmail(values.email ?? ''))
      throw new UsageError('--email takes an email address');

    const config = parseConfig(terminal.env);
    const database = await withProgress('opening the database', open(config));
    try {
      const passwords = createPasswords(config);
      const pages = createPages(config.secretKey);
      const clock = () => new Date();
      // The server sends the mails.
      const limiter = createLimiter(undefined);
      const outbox = createOutbox({ clock, limiter });
      const users = createUsers({ database, passwords, pages, outbox, limiter, clock });
      return await run({ ...terminal, database, users, values });
    } finally {
      await database.close();
    }
  },
  explain: (error) => {
    if (error instanceof Problem)
      return `${error.errors?.[0] ? `${error.errors[0].pointer.slice(1)} ` : ''}${error.detail}`;
    return error instanceof ConfigError ? error.message : undefined;
  },
});

const withoutEmail = ['list', 'import'];

interface Context extends Terminal {
  database: Database;
  users: ReturnType<typeof createUsers>;
  values: ReturnType<typeof readArguments>['values'];
}

const commands: Record<string, (context: Context) => Promise<number>> = {
  create: async ({ users, values, stdin, stdout }) => {
    const { email = '', username, 'full-name': full_name, admin } = values;
    const account = {
      email,
      password: await readPassword(stdin),
      is_admin: admin,
      ...(username && { username }),
      ...(full_name && { full_name }),
    };
    checkBody(NewUser, account);
    const user = await users.create(account, noClient);
    stdout.write(`made ${describe(user)}\n`);
    return 0;
  },
  'set-admin': async (context) => change(context, { is_admin: !context.values.revoke }),
  deactivate: async (context) => change(context, { is_active: false }),
  import: async ({ database, stdin, stdout, stderr }) => {
    const { imported, refused } = await importUsers(createInterface({ input: stdin }), database, {
      refused: (line, reason) => stderr.write(`line ${line}: ${reason}\n`),
      progress: (lines) => stderr.write(`${lines} lines\n`),
    });
    stdout.write(`${imported} accounts are new, ${refused} lines were refused\n`);
    return refused > 0 ? 1 : 0;
  },
  list: async ({ users, values: { email, admin }, stdout }) => {
    let cursor: string | undefined;
    do {
      const query = {
        limit: 200,
        ...(cursor && { cursor }),
        ...(email && { email }),
        ...(admin && { is_admin: true }),
      };
      const page = await users.list(query);
      for (const user of page.items) stdout.write(`${describe(user)}\n`);
      cursor = page.next_cursor ?? undefined;
    } while (cursor);
    return 0;
  },
};

async function change(
  { database, users, values, stdout }: Context,
  changes: Parameters<typeof users.update>[2],
): Promise<number> {
  const email = normalizeEmail(values.email ?? '');
  const user = await database.system((repositories) => repositories.users.findByEmail(email));
  if (!user) throw new Error(`there is no account ${email}`);
  stdout.write(`changed ${describe(await users.update(undefined, user.id, changes, noClient))}\n`);
  return 0;
}

const describe = ({ email, id, is_admin, is_active }: Pick<User, 'email' | 'id' | 'is_admin' | 'is_active'>) =>
  `${email} ${id}${is_admin ? ' admin' : ''}${is_active ? '' : ' inactive'}`;

function readArguments(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        email: { type: 'string' },
        username: { type: 'string' },
        'full-name': { type: 'string' },
        admin: { type: 'boolean', default: false },
        revoke: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** Asks twice on a terminal, without echo; otherwise reads standard input. */
async function readPassword(stdin: Terminal['stdin']): Promise<string> {
  if (!stdin.isTTY) return (await text(stdin)).replace(/\r?\n$/, '');
  const password = await askUnseen('Password: ');
  if ((await askUnseen('Once more: ')) !== password) throw new Error('the two passwords are not the same');
  return password;
}

async function askUnseen(question: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  terminal.once('SIGINT', () => process.exit(130));
  process.stdout.write(question);
  try {
    return await terminal.question('');
  } finally {
    terminal.close();
    process.stdout.write('\n');
  }
}

if (import.meta.main) await runCommand(userCommand());
