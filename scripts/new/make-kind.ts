import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { UsageError } from '@quoin/db/command';
import { allOrNothing } from './command.ts';
import { withLine } from './insert-lines.ts';

/** A kind of job or mail: its files by template, and the file that lists it. */
interface Kind {
  files: Record<string, string>;
  list: string;
  anchor: string;
  imports: string[];
  line: string;
  next: string;
}

/** Adds a kind of job in a file of its own. @throws UsageError */
export const makeJob = (name: string | undefined): Promise<void> => make(jobKind(namesFrom(name)), namesFrom(name));

/** Adds a kind of mail in a file of its own. @throws UsageError */
export const makeMail = (name: string | undefined): Promise<void> => make(mailKind(namesFrom(name)), namesFrom(name));

type Names = ReturnType<typeof namesFrom>;

function namesFrom(path: string | undefined) {
  if (!path || !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(path) || path.length > 50)
    throw new UsageError('NAME is words in lower case with hyphens: send-reminders');
  const words = path.replaceAll('-', ' ');
  const Name = path.replace(/(^|-)(\w)/g, (_match, _hyphen, letter: string) => letter.toUpperCase());
  return {
    path,
    key: path.replaceAll('-', '_'),
    words,
    Words: `${words.charAt(0).toUpperCase()}${words.slice(1)}`,
    Name,
    name: `${Name.charAt(0).toLowerCase()}${Name.slice(1)}`,
  };
}

const jobKind = ({ path, Name, name, words }: Names): Kind => ({
  files: {
    [`apps/api/src/jobs/kinds/${path}.ts`]: 'job',
    [`apps/api/src/jobs/kinds/${path}.test.ts`]: 'job-test',
  },
  list: 'apps/api/src/product/jobs.ts',
  anchor: '// Above this line `npm run new -- job` adds its own.',
  imports: [`import { define${Name} } from '../jobs/kinds/${path}.ts';`],
  line: `${name}: define${Name},`,
  next: `Write the work into apps/api/src/jobs/kinds/${path}.ts. Try it: npx vitest run apps/api/src/jobs/kinds
Enqueue it with jobKinds.${name}.enqueue(…), and wait for "${words}" in GET /jobs. docs/jobs.md explains the rest.`,
});

const mailKind = ({ path, name }: Names): Kind => ({
  files: { [`apps/api/src/mail/kinds/${path}.ts`]: 'mail' },
  list: 'apps/api/src/product/mails.ts',
  anchor: '// Above this line `npm run new -- mail` adds its own.',
  imports: [`import { ${name}Mail } from '../mail/kinds/${path}.ts';`],
  line: `${name}Mail,`,
  next: `Write the texts into apps/api/src/mail/kinds/${path}.ts. Look at it: npm start, and /dev/mails
Send it with mail.send(repositories, ${name}Mail, recipient, data). docs/mails.md explains the rest.`,
});

async function make({ files, list, anchor, imports, line, next }: Kind, names: Names): Promise<void> {
  const there = Object.keys(files).find((file) => existsSync(file));
  if (there) throw new UsageError(`${there} exists already`);
  const before = readFileSync(list, 'utf8');
  const add = async (run: Parameters<Parameters<typeof allOrNothing>[0]>[0]) => {
    for (const [file, template] of Object.entries(files)) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, filled(template, names));
    }
    writeFileSync(list, withLine(list, readFileSync(list, 'utf8'), { anchor, imports, line }));
    await run('node_modules/.bin/biome', ['check', '--write', ...Object.keys(files), list]);
  };
  const revert = () => {
    for (const file of Object.keys(files)) rmSync(file, { force: true });
    writeFileSync(list, before);
  };
  await allOrNothing(add, revert);
  const written = Object.keys(files).map((file) => `wrote   ${file}\n`);
  process.stdout.write(`${written.join('')}changed ${list}\n${next}\n`);
}

const filled = (template: string, names: Names) =>
  readFileSync(new URL(`templates/${template}.template`, import.meta.url), 'utf8').replace(
    /\{\{(\w+)\}\}/g,
    (_match, key: keyof Names) => names[key],
  );
