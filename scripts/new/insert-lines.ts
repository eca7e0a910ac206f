import { readFileSync } from 'node:fs';

/** Returns the text of a file with imports, and a line above the comment that marks where to add lines. */
export function withLine(
  file: string,
  { anchor, imports, line }: { anchor: string; imports: string[]; line: string },
): string {
  const [head = '', tail, ...more] = readFileSync(file, 'utf8').split(`${anchor}\n`);
  if (tail === undefined || more.length > 0)
    throw new Error(
      `${file}: restore the comment that marks where to add lines, or add the lines by hand:\n  ${anchor}`,
    );
  // The formatter sorts the imports.
  return `${imports.map((one) => `${one}\n`).join('')}${head}${line}\n${anchor}\n${tail}`;
}
