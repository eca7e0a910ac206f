import { readFileSync, writeFileSync } from 'node:fs';

/** A line to add to a file, above the comment that marks the place. */
export interface Addition {
  anchor: string;
  imports: string[];
  line: string;
}

/** Adds a line and its imports to a file. @throws Error if the comment is not there */
export function addLine(file: string, { anchor, imports, line }: Addition): void {
  const [head = '', tail, ...more] = readFileSync(file, 'utf8').split(`${anchor}\n`);
  if (tail === undefined || more.length > 0)
    throw new Error(
      `${file}: restore the comment that marks where to add lines, or add the lines by hand:\n  ${anchor}`,
    );
  const [header = ''] = /^(\/\/.*\n)+\n/.exec(head) ?? [];
  // The formatter sorts the imports.
  const text = [header, ...imports.map((one) => `${one}\n`), head.slice(header.length), `${line}\n${anchor}\n`, tail];
  writeFileSync(file, text.join(''));
}
