// What in a migration stops others for longer than a moment, or breaks code that still runs: looked for in its text. It is a reminder, not a
// proof; docs/operations.md says what to write instead.

/** A pattern in which TABLE stands for the name of a table, which is its first group. */
const on = (pattern: RegExp) => new RegExp(pattern.source.replace('TABLE', '(?:only )?"?(\\w+)"?'), 'i');
const rules: [pattern: RegExp, warning: string][] = [
  [
    on(/^create (?:unique )?index (?!concurrently).*? on TABLE/),
    'an index without concurrently stops all writes while it is built',
  ],
  [
    on(/^alter table TABLE .*add (?:column )?"?\w+"?(?!.*\bdefault\b).*\bnot null/),
    'a new column that is not null and has no default fails where there are rows, and for code that does not know it',
  ],
  [
    on(/^alter table TABLE .*alter column "?\w+"? (?:set data )?type/),
    'another type rewrites the table while nobody can read it',
  ],
  [
    on(/^alter table TABLE .*set not null/),
    'set not null reads the whole table while nobody can write, unless a validated check says the same',
  ],
  [
    on(/^alter table TABLE .*add constraint (?!.*not valid).*(?:check|foreign key)/),
    'a constraint that is not "not valid" first reads the whole table while nobody can write',
  ],
  [on(/^alter table TABLE .*(?:drop column|rename)/), 'what is dropped or renamed is still used by the version before'],
  [on(/^drop table (?:if exists )?TABLE/), 'what is dropped is still used by the version before'],
];

/** Warnings about a migration's `up`. Tables that it makes itself are nobody's yet, and are left out. */
export function lockWarnings(up: string): string[] {
  const statements = up
    .replace(/--.*$/gm, '')
    .replace(/\$\$[\s\S]*?\$\$/g, "''")
    .split(';')
    .map((statement) => statement.replace(/\s+/g, ' ').trim());
  const made = new Set(statements.map((one) => /^create table (?:if not exists )?"?(\w+)"?/i.exec(one)?.[1]));
  return statements.flatMap((statement) =>
    rules.flatMap(([pattern, warning]) => {
      const name = pattern.exec(statement)?.[1];
      return name === undefined || made.has(name) ? [] : [`${name}: ${warning}`];
    }),
  );
}
