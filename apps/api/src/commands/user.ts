import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { type Database, organizationRoles, type User } from '@quoin/db';
import { type CommandDefinition, runCommand, type Terminal, UsageError, withProgress } from '@quoin/db/command';
import { NewApiKey } from '../api-keys/schemas.ts';
import { type ApiScope, apiScopes } from '../auth/scopes.ts';
import { ConfigError, parseConfig } from '../config/config.ts';
import { noClient } from '../http/client.ts';
import { isEmail, normalizeEmail } from '../http/email.ts';
import { Problem } from '../http/errors.ts';
import { checkBody } from '../http/validation.ts';
import { openDatabase } from '../process/open-database.ts';
import { createServices, type Services } from '../services.ts';
import { mapLastOwner } from '../users/last-owner.ts';
import { NewUser } from '../users/schemas.ts';
import { erase } from './erase.ts';
import { importUsers } from './import-users.ts';

const usage = `Usage: npm run user -- COMMAND

  create --email E [--username U] [--full-name N] [--admin]   create an account; with --service one for programs, which has
         [--service]                                          no password and cannot sign in
  create-key --email E --name N --scopes S,S [--days D]       create an API key of an account and print it, once; the scopes are
                                                              ${apiScopes.join(', ')}
  set-admin --email E [--revoke]                              make a user an admin (or revoke that)
  set-role --email E --organization ID --role R               give a member of an organization a role: owner, admin or member
  erase --email E | --id I [--prove]                          delete an account with its rows, jobs and audit events, also after it
                                                              was deleted (--id); --prove lists other places that contain its id
                                                              or address
  deactivate --email E                                        end the user's sessions and refuse new ones
  list [--email PART] [--admin]                               list accounts, newest first
  import                                                      create accounts from standard input, a JSON object per line:
                                                              email, password_hash (bcrypt or Argon2), username?, full_name?,
                                                              is_active?, is_admin?, email_verified_at?

Asks for the password of a new account at a terminal. Otherwise reads it from standard input, without a trailing line break.
With the embedded database, stop the server first. Exit codes: 0 success, 1 failure, 2 wrong usage.

Example: npm run user -- create --email ada@example.com --admin
`;

/** @param open opens the database */
export const userCommand = (open: typeof openDatabase = openDatabase): CommandDefinition => ({
  usage,
  main: async (terminal) => {
    const { positionals, values } = readArguments(terminal.args);
    const [command, ...rest] = positionals;
    const run = command === undefined ? undefined : commands[command];
    if (!run || rest.length > 0)
      throw new UsageError(
        command === undefined ? 'a command is missing' : `unknown command: ${positionals.join(' ')}`,
      );
    if (!withoutEmail.includes(command ?? '') && !isEmail(values.email ?? '') && !(command === 'erase' && values.id))
      throw new UsageError('--email must be an email address');
    if (command === 'erase' && values.id && values.email) throw new UsageError('give --email or --id');
    if (values.id !== undefined && !isUuid(values.id)) throw new UsageError('--id must be the id of an account');

    const config = parseConfig(terminal.env);
    const database = await withProgress('opening the database', open(config));
    try {
      // Without a job runner: the server sends the mails.
      const services = createServices({ config, database, log: consoleLog });
      return await run({ ...terminal, ...services, database, values });
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
const isUuid = (text: string) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
const consoleLog = { info: () => {}, warn: console.warn, error: console.error };

interface Context extends Terminal, Pick<Services, 'users' | 'registration' | 'apiKeys' | 'accountDeletion'> {
  database: Database;
  values: ReturnType<typeof readArguments>['values'];
}

const commands: Record<string, (context: Context) => Promise<number>> = {
  create: async ({ registration, values, stdin, stdout }) => {
    const { email = '', username, 'full-name': full_name, admin, service } = values;
    const account = {
      email,
      ...(service ? { kind: 'service' as const } : { password: await readPassword(stdin) }),
      is_admin: admin,
      ...(username && { username }),
      ...(full_name && { full_name }),
    };
    checkBody(NewUser, account);
    const user = await registration.create(account, noClient);
    stdout.write(`created ${describe(user)}\n`);
    return 0;
  },
  'create-key': async ({ database, apiKeys, values, stdout, stderr }) => {
    const body = newApiKey(values);
    const user = await findUser(database, values.email);
    const { key, expires_at } = await apiKeys.createFor(user.id, body);
    stderr.write(
      `This is the only time that the key is shown. It expires on ${expires_at.toISOString().slice(0, 10)}.\n`,
    );
    stdout.write(`${key}\n`);
    return 0;
  },
  'set-admin': async (context) => change(context, { is_admin: !context.values.revoke }),
  erase: ({ database, accountDeletion, values: { email, id, prove }, stdout }) =>
    erase(database, accountDeletion, { email: email && normalizeEmail(email), id, prove }, stdout),
  'set-role': async ({ database, values, stdout }) => {
    const { email, organization = '', role } = values;
    const known = organizationRoles.find((one) => one === role);
    if (!isUuid(organization) || !known)
      throw new UsageError(`set-role needs --organization ID and --role ${organizationRoles.join(', ')}`);
    const user = await findUser(database, email);
    const isMember = await mapLastOwner(() =>
      database.system().transaction(async ({ organizations, auditEvents }) => {
        const from = await organizations.lockRole(organization, user.id);
        if (!from) return false;
        const event = { user_id: user.id, organization_id: organization, details: { from, to: known } };
        await auditEvents.create({ action: 'member_role_changed', ...event });
        return organizations.setRole(organization, user.id, known);
      }),
    );
    if (!isMember) throw new UsageError(`${user.email} is not a member of the organization ${organization}`);
    stdout.write(`${user.email} is ${known} of ${organization}\n`);
    return 0;
  },
  deactivate: async (context) => change(context, { is_active: false }),
  import: async ({ database, stdin, stdout, stderr }) => {
    const { imported, refused } = await importUsers(createInterface({ input: stdin }), database, {
      refused: (line, reason) => stderr.write(`line ${line}: ${reason}\n`),
      progress: (lines) => stderr.write(`${lines} lines\n`),
    });
    stdout.write(`created ${imported} accounts, refused ${refused} lines\n`);
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
  const user = await findUser(database, values.email);
  stdout.write(`changed ${describe(await users.update(undefined, user.id, changes, noClient))}\n`);
  return 0;
}

/** @throws UsageError */
function newApiKey({ name, scopes: text = '', days }: Context['values']): NewApiKey {
  const scopes = text.split(',').map((scope) => scope.trim());
  const known: readonly string[] = apiScopes;
  if (!name) throw new UsageError('--name is missing');
  if (!scopes.every((scope) => known.includes(scope)))
    throw new UsageError(`--scopes must be some of ${apiScopes.join(', ')}, separated by commas`);
  if (days !== undefined && !(/^\d+$/.test(days) && Number(days) >= 1 && Number(days) <= 365))
    throw new UsageError('--days must be a whole number from 1 to 365');
  const body = { name, scopes: scopes as ApiScope[], ...(days !== undefined && { expires_in_days: Number(days) }) };
  checkBody(NewApiKey, body);
  return body;
}

async function findUser(database: Database, text = ''): Promise<User> {
  const email = normalizeEmail(text);
  const user = await database.system().users.findByEmail(email);
  if (!user) throw new Error(`no account has the email ${email}`);
  return user;
}

const describe = ({ email, id, kind, is_admin, is_active }: Omit<User, 'password_hash'>) =>
  `${email} ${id}${kind === 'service' ? ' service' : ''}${is_admin ? ' admin' : ''}${is_active ? '' : ' inactive'}`;

const readArguments = (args: string[]) =>
  parseArgs({
    args,
    allowPositionals: true,
    options: {
      email: { type: 'string' },
      username: { type: 'string' },
      'full-name': { type: 'string' },
      admin: { type: 'boolean', default: false },
      revoke: { type: 'boolean', default: false },
      service: { type: 'boolean', default: false },
      name: { type: 'string' },
      scopes: { type: 'string' },
      days: { type: 'string' },
      prove: { type: 'boolean', default: false },
      organization: { type: 'string' },
      role: { type: 'string' },
      id: { type: 'string' },
    },
  });

/** Asks twice at a terminal, without echo. Otherwise reads standard input. */
async function readPassword(stdin: Terminal['stdin']): Promise<string> {
  if (!stdin.isTTY) return (await text(stdin)).replace(/\r?\n$/, '');
  const password = await askWithoutEcho('Password: ');
  if ((await askWithoutEcho('Repeat password: ')) !== password) throw new Error('the passwords differ');
  return password;
}

async function askWithoutEcho(question: string): Promise<string> {
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
