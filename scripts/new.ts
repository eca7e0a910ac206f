import { parseArgs } from 'node:util';
import { runCommand, type Terminal, UsageError } from '@quoin/db/command';
import { makeApp } from './new/app.ts';
import { makeField } from './new/make-field.ts';
import { makeJob, makeMail } from './new/make-kind.ts';
import { makeResource } from './new/make-resource.ts';

const usage = `Usage: npm run new -- resource NAME FIELD… [OPTION…]
       npm run new -- field RESOURCE FIELD
       npm run new -- job NAME
       npm run new -- mail NAME
       npm run new -- app DIRECTORY [--name "NAME"]

resource   Adds a table with its own API. Writes entity, repository, schemas, service, routes and tests, registers them, and
           generates the migration, docs/schema.md and the client.
           NAME is a plural: notes, meeting-notes. If its singular is not regular, add --singular WORD.
           FIELD is name:type. Types: string (one line) or string(80), text, boolean, integer or integer(1,5), bigint and
           decimal(10,2), or decimal(10,2,0) from 0 (strings in JSON), number, date, timestamp, enum(new,paid), email, url, json, uuid. After the type: ? for a
           field that may be null, ! for one that is unique for each owner, =VALUE for a default (quote the field in a shell).
           category:ref(categories) adds category_id, the id of a category. order:parent(orders) puts the rows under an
           order, in the path too; they are deleted with it.
           Whose rows they are:
             --owned-by user (default): of a user, who reads and writes them
             --owned-by organization: of an organization; its members read and write them
             --owned-by nobody: signed-in users read them, admins of the server write them
           Who else reads them, or who alone writes them:
             --public-read: everybody reads them
             --read-by-members: a user can share them with an organization, whose members read them
             --admin-write: only admins of the organization write them
             --read-only FIELD,FIELD: only your code writes these fields, such as a status or a total
           What lists can do:
             --filter FIELD,FIELD: filter by these, besides booleans
             --sort FIELD,FIELD: sort by these, besides newest first
             --searchable: q searches all rows, and not only the newest 5,000; with an index, if everybody reads them
             --embedded: search by meaning, with an embedding service
field      Adds a field to a resource. It needs ? or a default.
job        Adds a kind of job in a file of its own, with a test. NAME is words with hyphens: send-reminders.
mail       Adds a kind of mail in a file of its own. NAME is words with hyphens: weekly-summary.
app        Copies this repository under another name, without its history, to start a product.
           DIRECTORY must not exist. Its last part becomes the name of the package.

If a command fails or is interrupted, nothing changes. Exit codes: 0 success, 1 failure, 2 invalid arguments.

Examples: npm run new -- resource notes title:string body:text? pinned:boolean
          npm run new -- resource invoices 'number:string(20)!' 'total:decimal(10,2)' 'status:enum(open,paid)=open' --filter status
          npm run new -- resource items 'order:parent(orders)' 'product:ref(products)' quantity:integer
          npm run new -- field products 'weight:integer?'
          npm run new -- job send-reminders
          npm run new -- mail weekly-summary
          npm run new -- app ../bakery --name "The Bakery"
`;

async function main({ args }: Terminal) {
  const { positionals, values } = readArguments(args);
  const [command, ...rest] = positionals;
  if (command === 'resource') await makeResource(rest, values);
  else if (command === 'field') await makeField(rest);
  else if (command === 'job' && rest.length < 2) await makeJob(rest[0]);
  else if (command === 'mail' && rest.length < 2) await makeMail(rest[0]);
  else if (command === 'app' && rest.length === 1 && rest[0]) await makeApp(rest[0], values.name);
  else if (command === 'app') throw new UsageError('give one directory');
  else if (command === 'job' || command === 'mail') throw new UsageError('give one name');
  else throw new UsageError('the first argument must be resource, field, job, mail or app');
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
      'read-by-members': { type: 'boolean' },
      'admin-write': { type: 'boolean' },
      sort: { type: 'string' },
      'read-only': { type: 'string' },
      searchable: { type: 'boolean' },
      embedded: { type: 'boolean' },
      name: { type: 'string' },
    },
  });

await runCommand({ usage, main });
