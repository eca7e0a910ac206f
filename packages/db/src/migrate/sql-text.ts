import { appPrivileges, defaultPrivileges } from '../schema/privileges.ts';

// The text of generated migrations.

/** Puts each column and constraint of a generated `create table` on a line of its own. */
export function readableSql(sql: string): string {
  return sql
    .trim()
    .split('\n')
    .map((line) => {
      const [, head, body] = /^(create table "\w+" )\((.*)\);$/.exec(line) ?? [];
      return body === undefined
        ? line
        : `${head}(\n${topLevelParts(body)
            .map((part) => `  ${part}`)
            .join(',\n')}\n);`;
    })
    .join('\n');
}

/** Splits at the commas that are not inside parentheses or quotes. */
function topLevelParts(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let isQuoted = false;
  let start = 0;
  for (const [at, character] of text.split('').entries()) {
    if (character === "'") isQuoted = !isQuoted;
    if (isQuoted) continue;
    if (character === '(') depth += 1;
    if (character === ')') depth -= 1;
    if (character !== ',' || depth > 0) continue;
    parts.push(text.slice(start, at).trim());
    start = at + 1;
  }
  return [...parts, text.slice(start).trim()];
}

/**
 * Returns the grants for new tables and for new policies, which entities cannot express. A policy without a grant gives no access. A policy for
 * one command gets the privilege of that command.
 */
export function grantsFor(up: string): string {
  const policies = up.matchAll(/^create policy "\w+" on "(\w+)"(?: as \w+)?(?: for (\w+))? to "(\w+)"/gm);
  const grants = [...policies].map(([, table = '', command = 'all', role]) => {
    const all = role === 'quoin_app' ? (appPrivileges[table] ?? defaultPrivileges) : defaultPrivileges;
    return all === '' ? '' : `grant ${command === 'all' ? all : command} on "${table}" to ${role};`;
  });
  return [...new Set(grants)].filter((grant) => grant !== '').join('\n');
}
