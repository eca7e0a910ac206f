import { parseArgs } from 'node:util';
import { runCommand, type Terminal, UsageError } from '@quoin/db/command';
import { makeApp } from './new/app.ts';
import { makeResource } from './new/make-resource.ts';

const usage = `Usage: npm run new -- resource NAME FIELD… [--singular WORD]
       npm run new -- app DIRECTORY [--name "NAME"]

resource   owner-scoped rows with their own table: writes entity, repository, schemas, service, routes and tests, names them
           where everything is named, and makes the migration, docs/schema.md and the client from them
           NAME is in the plural: notes, meeting-notes
           FIELD is name:type, or name:type? where it may be left out (in zsh 'name:type?'); the types are string (a line), text, boolean, integer, number,
           timestamp. Lists are filtered by booleans, and searched (q) in strings and texts.
app        a copy under a name of its own, without this repository's history: where a product begins
           DIRECTORY must not be there yet; its last part is the name of the package

Nothing is left behind where it fails or is stopped. Exit codes: 0 done, 1 failed, 2 the command was not understood.

Examples: npm run new -- resource notes title:string body:text? pinned:boolean
          npm run new -- app ../bakery --name "The Bakery"
`;

async function main({ args }: Terminal) {
  const { positionals, values } = readArguments(args);
  const [command, ...rest] = positionals;
  if (command === 'resource') await makeResource(rest, values.singular);
  else if (command === 'app' && rest.length === 1 && rest[0]) await makeApp(rest[0], values.name);
  else throw new UsageError(command === 'app' ? 'say which directory, and nothing else' : 'say resource or app');
  return 0;
}

function readArguments(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        singular: { type: 'string' },
        name: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

await runCommand({ usage, main });
