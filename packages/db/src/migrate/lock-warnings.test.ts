import { expect, test } from 'vitest';
import { lockWarnings } from './lock-warnings.ts';

test.each([
  ['create index "idx_tasks_title" on "tasks" ("title");', 'tasks: an index without concurrently'],
  ['create unique index idx on tasks using btree (title)', 'tasks: an index without concurrently'],
  ['alter table "tasks" add column "priority" int not null;', 'tasks: a new column that is not null'],
  ['alter table "tasks" add "priority" int not null;', 'tasks: a new column that is not null'],
  ['alter table "tasks" alter column "title" type text;', 'tasks: a new type'],
  ['alter table "tasks" alter column "title" set not null', 'tasks: set not null'],
  ['alter table "tasks" add constraint "c" check (title <> \'\')', 'tasks: a constraint'],
  ['alter table "tasks" add constraint "f" foreign key ("user_id") references "users" ("id");', 'tasks: a constraint'],
  ['alter table "tasks" drop column "title";', 'tasks: the previous version'],
  ['alter table tasks rename column title to name', 'tasks: the previous version'],
  ['drop table tasks', 'tasks: the previous version'],
])('lockWarnings warns about: %s', (up, warning) => {
  expect(lockWarnings(up)).toEqual([expect.stringContaining(warning)]);
});

test.each([
  'create index concurrently idx on tasks (title)',
  'alter table "tasks" add column "priority" int not null default 0;',
  'alter table "tasks" add column "priority" int null;',
  'alter table tasks add constraint c check (true) not valid',
  'create table notes (id uuid not null); create index idx on notes (id); alter table notes add constraint f foreign key (id) references users (id)',
  'create function f() returns void language plpgsql as $$ begin drop table tasks; end $$',
  '-- drop table tasks',
])('lockWarnings does not warn about: %s', (up) => {
  expect(lockWarnings(up)).toEqual([]);
});
