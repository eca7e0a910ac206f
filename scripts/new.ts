import { parseArgs } from 'node:util';
import { runCommand, type Terminal, UsageError } from '@quoin/db/command';
import { makeApp } from './new/app.ts';
import { makeResource } from './new/make-resource.ts';

const usage = `Usage: npm run new -- resource NAME FIELD… [--singular WORD]
       npm run new -- app DIRECTORY [--name "NAME"]

resource   Adds a table with its own API. Writes entity, repository, schemas, service, routes and tests, registers them, and
           generates the migration, docs/schema.md and the client.
           NAME is a plural: notes, meeting-notes.
           FIELD is name:type, or name:type? if it is optional (in zsh: 'name:type?'). Types: string (one line), text, boolean,
           integer, number, timestamp. Lists can be filtered by booleans, and searched (q) in strings and texts.
app        Copies this repository under another name, without its history, to start a product.
           DIRECTORY must not exist. Its last part becomes the name of the package.

If a command fails or is interrupted, nothing changes. Exit codes: 0 success, 1 failure, 2 invalid arguments.

Examples: npm run new -- resource notes title:string body:text? pinned:boolean
          npm run new -- app ../bakery --name "The Bakery"
`;

async function main({ args }: Terminal) {
  const { positionals, values } = readArguments(args);
  const [command, ...rest] = positionals;
  if (command === 'resource') await makeResource(rest, values.singular);
  else if (command === 'app' && rest.length === 1 && rest[0]) await makeApp(rest[0], values.name);
  else throw new UsageError(command === 'app' ? 'give one directory' : 'the first argument must be resource or app');
  return 0;
}

const readArguments = (args: string[]) =>
  parseArgs({
    args,
    allowPositionals: true,
    options: {
      singular: { type: 'string' },
      name: { type: 'string' },
    },
  });

await runCommand({ usage, main });
