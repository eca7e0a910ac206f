import { parseArgs } from 'node:util';
import { jobStates } from '@quoin/db';
import { type CommandDefinition, runCommand, type Terminal, UsageError, withProgress } from '@quoin/db/command';
import { ConfigError, parseConfig } from '../config/config.ts';
import { Problem } from '../http/errors.ts';
import { createJobAdministration } from '../jobs/service.ts';
import { openDatabase } from '../process/open-database.ts';
import { tickAfter } from '../queue/jobs.ts';
import { createRunner } from '../queue/runner.ts';
import { createServices } from '../services.ts';

const usage = `Usage: npm run jobs -- COMMAND

  list [--name NAME] [--state STATE]   list jobs, newest first; the states are ${jobStates.join(', ')}
  retry ID                             make a job due now that waits or has failed
  discard ID                           delete a job that does not run
  run NAME                             run a schedule now, or the waiting jobs of a kind, in this process

With the embedded database, stop the server first. Exit codes: 0 success, 1 failure, 2 wrong usage.

Example: npm run jobs -- list --state failed
`;

const listMax = 200;

/** @param open opens the database */
export const jobsCommand = (open: typeof openDatabase = openDatabase): CommandDefinition => ({
  usage,
  main: async (terminal) => {
    const { command, argument, values } = readArguments(terminal.args);
    const config = parseConfig(terminal.env);
    const database = await withProgress('opening the database', open(config));
    const administration = createJobAdministration({ database });
    try {
      if (command === 'list') return await list(terminal, administration, values);
      if (command === 'run') return await run(terminal, argument);
      const job = await administration[command](argument);
      terminal.stdout.write(`${command === 'retry' ? 'due now' : 'discarded'}: ${job.name} ${job.id}\n`);
      return 0;
    } finally {
      await database.close();
    }

    async function run({ stdout, stderr }: Terminal, name: string): Promise<number> {
      const warn = (fields: unknown, message?: string) => {
        const { err } = fields as { err?: Error };
        stderr.write(`${message}${err ? `: ${err.message}` : ''}\n`);
      };
      const log = { info: () => {}, warn, error: warn };
      const { jobs } = createServices({ config, database, log });
      if (!jobs.definitions.has(name))
        throw new UsageError(
          `no job has the name "${name}". The names are: ${[...jobs.definitions.keys()].join(', ')}`,
        );
      const schedule = jobs.schedules.find(({ definition }) => definition.name === name);
      if (schedule) await database.system().jobs.enqueue([tickAfter(schedule, new Date(), { isNow: true })]);
      const counts = { done: 0, retried: 0, failed: 0, released: 0 };
      const onEnded = (_: string, outcome: keyof typeof counts) => void counts[outcome]++;
      const runner = createRunner({ database, jobs, log, onEnded });
      await runner.runDue(name);
      await runner.stop(0);
      stdout.write(`${name}: ${counts.done} done, ${counts.retried} to be tried again, ${counts.failed} failed\n`);
      return counts.retried + counts.failed > 0 ? 1 : 0;
    }
  },
  explain: (error) => (error instanceof ConfigError || error instanceof Problem ? error.message : undefined),
});

type Values = { name?: string | undefined; state?: string | undefined };

function readArguments(args: string[]): {
  command: 'list' | 'retry' | 'discard' | 'run';
  argument: string;
  values: Values;
} {
  const options = { name: { type: 'string' }, state: { type: 'string' } } as const;
  const { positionals, values } = parseArgs({ args, allowPositionals: true, options });
  const [command, argument, ...rest] = positionals;
  if (command === undefined) throw new UsageError('a command is missing');
  if (command !== 'list' && command !== 'retry' && command !== 'discard' && command !== 'run')
    throw new UsageError(`unknown command: ${command}`);
  if (rest.length > 0 || (command === 'list') !== (argument === undefined))
    throw new UsageError(
      command === 'list' ? 'list takes no argument' : `${command} needs one argument; quote a name with spaces`,
    );
  if (values.state !== undefined && !jobStates.some((state) => state === values.state))
    throw new UsageError(`--state must be one of ${jobStates.join(', ')}`);
  if (/^(retry|discard)$/.test(command) && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(argument ?? ''))
    throw new UsageError('ID must be the id of a job, as list prints it');
  return { command, argument: argument ?? '', values };
}

async function list(
  { stdout }: Terminal,
  administration: ReturnType<typeof createJobAdministration>,
  { name, state }: Values,
): Promise<number> {
  const query = { limit: listMax, ...(name && { name }), ...(state && { state: state as (typeof jobStates)[number] }) };
  const { items, next_cursor } = await administration.list(query);
  for (const job of items)
    stdout.write(
      `${job.id}  ${job.state.padEnd(9)}  ${job.due_at.toISOString()}  ${job.name}  attempt ${job.attempts} of ${job.attempts_max}${job.error ? `  ${job.error}` : ''}\n`,
    );
  if (next_cursor) stdout.write(`only the newest ${listMax} are shown: narrow the list with --name or --state\n`);
  return 0;
}

if (import.meta.main) await runCommand(jobsCommand());
