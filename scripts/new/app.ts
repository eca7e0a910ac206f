import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { UsageError } from '@quoin/db/command';
import { run, step } from './command.ts';

// What is said of Quoin itself, and what a product does not take over.
const left = ['CHANGELOG.md', 'LICENSE', 'docs/upgrading.md'];
const slugLengthMax = 24;

/**
 * Copies this repository under another name, without its history. What fails leaves no directory behind.
 *
 * @param directory must not be there yet; its last part is the name of the package
 * @param name as people read it; by default made from that
 * @throws UsageError where it cannot be made so
 */
export async function makeApp(directory: string, name?: string): Promise<void> {
  const target = resolve(directory);
  const slug = basename(target);
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(slug) || slug.length > slugLengthMax || slug.includes('quoin'))
    throw new UsageError(
      `${slug} cannot be the name of a package here: small letters, digits and single dashes, at most ${slugLengthMax} of them, as in my-app`,
    );
  const title =
    name ??
    slug
      .split('-')
      .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
      .join(' ');
  if (!/^[\p{Letter}\p{Number}][\p{Letter}\p{Number} .-]*$/u.test(title) || title.length > 60)
    throw new UsageError(`${title} cannot be its name: letters, digits, spaces, dots and dashes, at most 60`);
  if (existsSync(target)) throw new UsageError(`${target} is there already`);
  if (target.startsWith(`${process.cwd()}/`))
    throw new UsageError(`${target} lies inside this repository: say ../${slug}`);

  const stay = () => {};
  process.on('SIGINT', stay);
  try {
    step('copying');
    const files = listFiles();
    for (const file of files) {
      mkdirSync(dirname(join(target, file)), { recursive: true });
      cpSync(file, join(target, file));
    }
    for (const file of files.filter((one) => !left.includes(one))) {
      const path = join(target, file);
      const text = readFileSync(path, 'utf8');
      writeFileSync(path, renamed(text, slug, title), { mode: statSync(path).mode });
    }
    makeItsOwn(target, title);
    step('formatting');
    run(resolve('node_modules/.bin/biome'), ['check', '--write', '--vcs-enabled=false'], { cwd: target });
    process.stdout.write(`made ${target} of ${files.length} files

cd ${target}
git init && git add --all && git commit -m "Begin from Quoin ${version()}" && git branch foundation
npm ci && npm start

The branch stays as it is, until docs/upgrading.md pulls a later Quoin into it. The licence is yours to choose: LICENSE-foundation is Quoin's, and has to stay.
`);
  } catch (error) {
    rmSync(target, { recursive: true, force: true });
    throw new Error(`${(error as Error).message.trimEnd()}\nNothing was made.`);
  } finally {
    process.off('SIGINT', stay);
  }
}

/** What git keeps, or would; where this is no checkout, everything but what .gitignore names. */
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

/** Packages and files are called as the directory is; in SQL, variables and code a dash would be something else. */
function renamed(text: string, slug: string, title: string): string {
  const snake = slug.replaceAll('-', '_');
  return text
    .replaceAll('Quoin', title)
    .replaceAll('QUOIN', snake.toUpperCase())
    .replaceAll(/@quoin\b|quoin(?=-|\\?:problem)|(?<="name": ")quoin(?=")/g, (found) => found.replace('quoin', slug))
    .replaceAll('quoin', snake);
}

/** What a product says of itself: its own first page, its own changelog, and where it comes from. */
function makeItsOwn(target: string, title: string): void {
  const at = (file: string) => join(target, file);
  const readme = readFileSync(at('README.md'), 'utf8');
  const from = readme.indexOf('## Two commands');
  const [before = '', after = ''] = readme.slice(from).split(/## What is different here\n[\s\S]*?(?=\n## )/);
  const body = `${before}${after.trimStart()}`
    .replace('\nMIT licensed.\n', '\n')
    .replace(/^npm run new -- app .*\n/m, '')
    .replace(/\[Make it yours[^\]]*\]/, '[Pull in a later version of the foundation]');
  writeFileSync(at('README.md'), `# ${title}\n\nWhat it is for, in a sentence.\n\n${body}`);
  writeFileSync(
    at('CHANGELOG.md'),
    '# Changelog\n\nAs [Keep a Changelog](https://keepachangelog.com/en/1.1.0/) has it.\n\n## [Unreleased]\n',
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
