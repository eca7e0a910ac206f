import { parseArgs } from 'node:util';
import { runCommand, type Terminal, UsageError } from '@quoin/db/command';
import { makeApp } from './new/app.ts';
import { makeJob, makeMail } from './new/make-kind.ts';
import { makeResource } from './new/make-resource.ts';

const usage = `Usage: npm run new -- resource NAME FIELD… [--singular WORD] [--filter FIELD,FIELD]
                    [--owned-by user|organization|nobody] [--public-read] [--admin-write]
       npm run new -- job NAME
       npm run new -- mail NAME
       npm run new -- app DIRECTORY [--name "NAME"]

resource   Adds a table with its own API. Writes entity, repository, schemas, service, routes and tests, registers them, and
           generates the migration, docs/schema.md and the client.
           NAME is a plural: notes, meeting-notes.
           FIELD is name:type. Types: string (one line) or string(80), text, boolean, integer, bigint and decimal(10,2)
           (strings in JSON), number, date, timestamp, enum(new,paid), email, url, json, uuid. After the type: ? for a
           field that may be null, ! for one that is unique for each owner, =VALUE for a default (quote the field in a shell).
           --owned-by user (default): the rows of a user. --owned-by organization: the rows of an organization; its members read
           and write them; --admin-write: only its admins write. --owned-by nobody: signed-in users read, admins of the server
           write; --public-read: everybody reads.
           Lists can be filtered by booleans and by --filter FIELD,FIELD, and searched (q) in strings and texts.
job        Adds a kind of job in a file of its own, with a test. NAME is words with hyphens: send-reminders.
mail       Adds a kind of mail in a file of its own. NAME is words with hyphens: weekly-summary.
app        Copies this repository under another name, without its history, to start a product.
           DIRECTORY must not exist. Its last part becomes the name of the package.

If a command fails or is interrupted, nothing changes. Exit codes: 0 success, 1 failure, 2 invalid arguments.

Examples: npm run new -- resource notes title:string body:text? pinned:boolean
          npm run new -- resource invoices 'number:string(20)!' 'total:decimal(10,2)' 'status:enum(open,paid)=open' --filter status
          npm run new -- job send-reminders
          npm run new -- mail weekly-summary
          npm run new -- app ../bakery --name "The Bakery"
`;

async function main({ args }: Terminal) {
  const { positionals, values } = readArguments(args);
  const [command, ...rest] = positionals;
  if (command === 'resource') await makeResource(rest, values);
  else if (command === 'job' && rest.length < 2) await makeJob(rest[0]);
  else if (command === 'mail' && rest.length < 2) await makeMail(rest[0]);
  else if (command === 'app' && rest.length === 1 && rest[0]) await makeApp(rest[0], values.name);
  else if (command === 'app') throw new UsageError('give one directory');
  else if (command === 'job' || command === 'mail') throw new UsageError('give one name');
  else throw new UsageError('the first argument must be resource, job, mail or app');
  return 0;
}

const readArguments = (args: string[]) =>
  parseArgs({
    args,
    allowPositionals: true,
    options: {
      singular: { type: 'string' },
      filter: { type: 'string' },
      'owned-by': { type: 'string' },
      'public-read': { type: 'boolean' },
      'admin-write': { type: 'boolean' },
      name: { type: 'string' },
    },
  });

await runCommand({ usage, main });
