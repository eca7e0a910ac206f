import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

// Node runs TypeScript in this repository, but not in node_modules. So packages are compiled for others.

const usage = `Usage: npm run pack

Builds each package in packages/ and packs it: a tarball in .data/packages/, with JavaScript, declarations and source maps. Prints their paths.

Example: npm run -s pack && cd ../elsewhere && npm install ../quoin/.data/packages/*.tgz
`;
if (process.argv.includes('--help')) {
  process.stdout.write(usage);
  process.exit();
}

const out = '.data/packages';
rmSync(out, { recursive: true, force: true });
for (const manifest of globSync('packages/*/package.json')) {
  const name = manifest.split('/')[1] ?? '';
  const [from, to] = [join('packages', name), join(out, name)];
  mkdirSync(join(to, 'dist'), { recursive: true });
  const { main } = JSON.parse(readFileSync(manifest, 'utf8'));
  compile(from, join(to, 'dist'));
  if (main) {
    // The CommonJS build.
    compile(from, join(to, 'dist/cjs'), {
      module: 'commonjs',
      moduleResolution: 'bundler',
      verbatimModuleSyntax: false,
    });
    writeFileSync(join(to, 'dist/cjs/package.json'), '{ "type": "commonjs" }\n');
  }
  // Files that the compiler does not copy.
  for (const file of globSync(['*.d.ts', 'migrations/*.sql'], { cwd: join(from, 'src') }))
    for (const built of globSync(['dist/src', 'dist/cjs/src'], { cwd: to }))
      cpSync(join(from, 'src', file), join(to, built, file));
  // A product has no LICENSE until it chooses one.
  for (const file of [join(from, 'README.md'), ...globSync('LICENSE*')]) cpSync(file, join(to, basename(file)));
  writeFileSync(join(to, 'package.json'), published(readFileSync(manifest, 'utf8')));
  const tarball = execFileSync('npm', ['pack', '--silent', '--pack-destination', out, `./${to}`], { encoding: 'utf8' });
  process.stdout.write(`${join(out, tarball.trim())}\n`);
}

function compile(from: string, outDir: string, options: object = {}): void {
  const own = join('.data', `tsconfig.${basename(from)}.json`);
  const project = [join(from, 'tsconfig.json'), 'tsconfig.json'].find((file) => existsSync(file));
  writeFileSync(
    own,
    JSON.stringify({
      extends: `../${project}`,
      compilerOptions: {
        noEmit: false,
        declaration: true,
        sourceMap: true,
        inlineSources: true,
        rewriteRelativeImportExtensions: true,
        rootDir: `../${from}`,
        outDir: `../${outDir}`,
        ...options,
      },
      include: [`../${from}/src`, `../${from}/testing`],
      exclude: [`../${from}/**/*.test.ts`, `../${from}/testing/global-setup.ts`],
    }),
  );
  execFileSync('node_modules/.bin/tsc', ['-p', own], { stdio: 'inherit' });
}

/** Returns the manifest of the published package: entry points in dist/, no development dependencies and scripts. */
function published(text: string): string {
  const {
    private: _private,
    devDependencies: _tools,
    scripts: _scripts,
    exports,
    main,
    types: _,
    ...manifest
  } = JSON.parse(text);
  const built = (source: string, folder: string) => {
    const path = source.replace('./', folder).replace(/\.ts$/, '');
    return { types: `${path}.d.ts`, default: `${path}.js` };
  };
  const modules = Object.entries<string>(exports).map(([entry, source]) => [entry, built(source, './dist/')]);
  const commonJs = main && built(main, './dist/cjs/');
  const entries = Object.fromEntries(modules);
  return `${JSON.stringify(
    {
      ...manifest,
      files: ['dist'],
      ...(commonJs && { main: commonJs.default, types: commonJs.types }),
      exports: commonJs ? { ...entries, '.': { import: entries['.'], require: commonJs } } : entries,
    },
    null,
    2,
  )}\n`;
}
