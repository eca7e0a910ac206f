/** A line to add to a file, above the comment that marks the place. */
export interface Addition {
  anchor: string;
  imports: string[];
  line: string;
}

/** Returns a file with a line and its imports added. @throws Error if the comment is not there */
export function withLine(file: string, text: string, { anchor, imports, line }: Addition): string {
  const [head = '', tail, ...more] = text.split(`${anchor}\n`);
  if (tail === undefined || more.length > 0)
    throw new Error(
      `${file}: restore the comment that marks where to add lines, or add the lines by hand:\n  ${anchor}`,
    );
  return withImports([head, `${line}\n${anchor}\n`, tail].join(''), imports);
}

/** Returns a file with imports added, except for those that it has. The formatter sorts and merges them. */
export function withImports(text: string, imports: string[]): string {
  const [header = ''] = /^(\/\/.*\n)+\n/.exec(text) ?? [];
  const missing = imports.filter((one) => !text.includes(one)).map((one) => `${one}\n`);
  const rest = text.slice(header.length);
  const gap = missing.length > 0 && !rest.startsWith('import ') ? '\n' : '';
  return [header, ...missing, gap, rest].join('');
}
