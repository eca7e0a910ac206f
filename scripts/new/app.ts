import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { UsageError } from '@quoin/db/command';
import { allOrNothing, type Run, step } from './command.ts';

// Files about Quoin itself. A product keeps them unchanged or replaces them.
const unchanged = ['CHANGELOG.md', 'LICENSE', 'docs/upgrading.md'];
const slugLengthMax = 24;

/**
 * Copies this repository under another name, without its history. If anything fails, no directory remains.
 *
 * @param directory must not exist; its last part becomes the name of the package
 * @param name the product's name in texts; by default derived from the directory
 * @throws UsageError
 */
export async function makeApp(directory: string, name?: string): Promise<void> {
  const target = resolve(directory);
  const slug = basename(target);
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(slug) || slug.length > slugLengthMax || slug.includes('quoin'))
    throw new UsageError(
      `${slug} is not a valid package name: use lower-case letters, digits and single dashes, at most ${slugLengthMax} characters, as in my-app`,
    );
  const title =
    name ??
    slug
      .split('-')
      .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
      .join(' ');
  if (!/^[\p{Letter}\p{Number}][\p{Letter}\p{Number} .-]*$/u.test(title) || title.length > 60)
    throw new UsageError(
      `${title} is not a valid product name: use letters, digits, spaces, dots and dashes, at most 60 characters`,
    );
  if (existsSync(target)) throw new UsageError(`${target} already exists`);
  if (target.startsWith(`${process.cwd()}/`))
    throw new UsageError(`${target} is inside this repository: use ../${slug}`);

  const created = mkdirSync(target, { recursive: true }) ?? target;
  const copy = async (run: Run) => {
    step('copying');
    const files = listFiles();
    for (const file of files) {
      mkdirSync(dirname(join(target, file)), { recursive: true });
      cpSync(file, join(target, file));
    }
    for (const file of files.filter((one) => !unchanged.includes(one))) {
      const path = join(target, file);
      const text = readFileSync(path, 'utf8');
      writeFileSync(path, renamed(text, slug, title), { mode: statSync(path).mode });
    }
    makeItsOwn(target, title);
    step('formatting');
    await run(resolve('node_modules/.bin/biome'), ['check', '--write', '--vcs-enabled=false'], { cwd: target });
    process.stdout.write(`created ${target} from ${files.length} files

cd ${target}
git init && git add --all && git commit -m "Begin from Quoin ${version()}" && git branch foundation
npm ci && npm start

Leave the branch "foundation" alone: docs/upgrading.md uses it to merge a later Quoin. Choose a license for your product, and keep LICENSE-foundation, which is Quoin's.
`);
  };
  await allOrNothing(copy, () => rmSync(created, { recursive: true, force: true })).catch((error: Error) => {
    throw new Error(`${error.message.trimEnd()}\nNothing was created.`);
  });
}

/** The files that git tracks or would track. Outside a checkout: every file that .gitignore does not name. */
function listFiles(): string[] {
  const ignored = readFileSync('.gitignore', 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => line.replace(/\/$/, ''));
  if (existsSync('.git')) {
    const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      encoding: 'utf8',
    });
    return [...new Set(listed.split('\0'))].filter((file) => file && existsSync(file));
  }
  const found = (directory: string): string[] =>
    readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
      if (ignored.some((one) => one === entry.name || (one.startsWith('*') && entry.name.endsWith(one.slice(1)))))
        return [];
      const path = join(directory, entry.name);
      return entry.isDirectory() ? found(path) : [path];
    });
  return found('.');
}

/** Packages and files get the slug. SQL, variables and code get it with underscores, because a dash has another meaning there. */
function renamed(text: string, slug: string, title: string): string {
  const snake = slug.replaceAll('-', '_');
  return text
    .replaceAll('Quoin', title)
    .replaceAll('QUOIN', snake.toUpperCase())
    .replaceAll(/@quoin\b|quoin(?=-|\\?:problem)|(?<="name": ")quoin(?=")/g, (found) => found.replace('quoin', slug))
    .replaceAll('quoin', snake);
}

/** Writes the README, changelog and manifest of the product. */
function makeItsOwn(target: string, title: string): void {
  const at = (file: string) => join(target, file);
  const readme = readFileSync(at('README.md'), 'utf8');
  const from = readme.indexOf('## Two commands');
  const [before = '', after = ''] = readme.slice(from).split(/## What you get\n[\s\S]*?(?=\n## )/);
  const body = `${before}${after.trimStart()}`
    .replace(/\n.*MIT licensed\.\n/, '\n')
    .replace(/^npm run new -- app .*\n/m, '')
    .replace(/\[Make it yours[^\]]*\]/, '[Merge a later version of the foundation]');
  writeFileSync(at('README.md'), `# ${title}\n\nWhat it does, in one sentence.\n\n${body}`);
  writeFileSync(
    at('CHANGELOG.md'),
    '# Changelog\n\nThis file follows [Keep a Changelog](https://keepachangelog.com/en/1.1.0/).\n\n## [Unreleased]\n',
  );
  cpSync(at('LICENSE'), at('LICENSE-foundation'));
  rmSync(at('LICENSE'));
  const manifest = JSON.parse(readFileSync(at('package.json'), 'utf8'));
  const { license: _license, ...rest } = {
    ...manifest,
    description: `${title}.`,
    foundation: { name: 'quoin', version: version() },
  };
  writeFileSync(at('package.json'), `${JSON.stringify(rest, null, 2)}\n`);
}

const version = () => JSON.parse(readFileSync('package.json', 'utf8')).version as string;
