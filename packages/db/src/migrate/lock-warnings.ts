// Finds statements of a migration that block others for long or break running code, by their text. A reminder, not a proof: docs/operations.md says
// what to write instead.

/** `TABLE` in a pattern stands for the name of a table, which becomes its first group. */
const on = (pattern: RegExp) => new RegExp(pattern.source.replace('TABLE', '(?:only )?"?(\\w+)"?'), 'i');
const rules: [pattern: RegExp, warning: string][] = [
  [
    on(/^create (?:unique )?index (?!concurrently).*? on TABLE/),
    'an index without concurrently blocks all writes while it is built',
  ],
  [
    on(/^alter table TABLE .*add (?:column )?"?\w+"?(?!.*\bdefault\b).*\bnot null/),
    'a new column that is not null and has no default fails if there are rows, and breaks code that does not write it',
  ],
  [
    on(/^alter table TABLE .*alter column "?\w+"? (?:set data )?type/),
    'a new type rewrites the table and blocks all reads meanwhile',
  ],
  [
    on(/^alter table TABLE .*set not null/),
    'set not null scans the table and blocks all writes meanwhile, unless a validated check says the same',
  ],
  [
    on(/^alter table TABLE .*add constraint (?!.*not valid).*(?:check|foreign key)/),
    'a constraint without "not valid" scans the table and blocks all writes meanwhile',
  ],
  [
    on(/^alter table TABLE .*(?:drop column|rename)/),
    'the previous version of the code still uses what is dropped or renamed',
  ],
  [on(/^drop table (?:if exists )?TABLE/), 'the previous version of the code still uses what is dropped'],
];

/** Returns warnings about the `up` file of a migration. Leaves out the tables that it creates. */
export function lockWarnings(up: string): string[] {
  const statements = up
    .replace(/--.*$/gm, '')
    .replace(/\$\$[\s\S]*?\$\$/g, "''")
    .split(';')
    .map((statement) => statement.replace(/\s+/g, ' ').trim());
  const created = new Set(statements.map((one) => /^create table (?:if not exists )?"?(\w+)"?/i.exec(one)?.[1]));
  return statements.flatMap((statement) =>
    rules.flatMap(([pattern, warning]) => {
      const name = pattern.exec(statement)?.[1];
      return name === undefined || created.has(name) ? [] : [`${name}: ${warning}`];
    }),
  );
}
