import { readFileSync } from 'node:fs';

/** Returns the text of a file with imports, and a line above each comment that marks where to add lines. */
export function withLines(
  file: string,
  anchor: string,
  { imports, lines }: { imports: string[]; lines: string[] },
): string {
  const parts = readFileSync(file, 'utf8').split(anchor);
  if (parts.length !== lines.length + 1)
    throw new Error(
      `${file}: expected ${lines.length} × the comment\n  ${anchor}\nwhich marks where to add lines; restore it, or add the lines by hand`,
    );
  const [head, ...tails] = parts;
  const text = tails.reduce((done, tail, place) => `${done}${lines[place]}\n${anchor}${tail}`, head ?? '');
  // The formatter sorts the imports.
  const first = text.search(/^import /m);
  return `${text.slice(0, first)}${imports.map((line) => `${line}\n`).join('')}${text.slice(first)}`;
}
