import type { Connection } from '@quoin/db';

// The rows of bench/scale.ts.

const heavyShare = 0.035;

/** Ids in order of time, from a number: two years of rows. */
const functions = `
create or replace function scale_id(number bigint, total bigint, salt text) returns uuid language sql immutable parallel safe as $$
  select (substr(quoin_first_id_at(timestamptz '2024-11-01' + number * (interval '730 days' / total))::text, 1, 14) || '7' ||
    substr(md5(salt || number)::uuid::text, 16))::uuid $$;`;

const rowsOf = (millions: number, share: number) => ({
  users: Math.round(millions * 200_000 * share),
  sessions: Math.round(millions * 500_000 * share),
  tasks: Math.round(millions * 1_000_000 * share),
  events: Math.round(millions * 1_000_000 * share),
});

/** Inserts the rows from the last fill up to this share. User 1 has the first 3.5 % of all tasks. */
export async function fill(connection: Connection, millions: number, from: number, to: number): Promise<void> {
  const [low, high, all] = [rowsOf(millions, from), rowsOf(millions, to), rowsOf(millions, 1)];
  const user = (number: string) => `scale_id(${number}, ${all.users}, 'u')`;
  const someUser = (number: string) =>
    `1 + (('x' || substr(md5('o' || ${number}), 1, 8))::bit(32)::bigint % ${high.users})`;
  const series = (kind: keyof typeof low) => `generate_series(${low[kind] + 1}, ${high[kind]}) n`;
  const parts = [
    `insert into users (id, email, password_hash, full_name, email_verified_at)
     select ${user('n')}, 'user-' || n || '@example.com', '$argon2id$v=19$m=19456,t=2,p=1$' || md5(n::text) || '$' || md5(n::text), 'User ' || n, now() from ${series('users')}`,
    `insert into user_sessions (id, user_id, token_secret, user_agent, ip_address, expires_at)
     select scale_id(n, ${all.sessions}, 's'), ${user(someUser('n'))}, decode(md5(n::text) || md5(n::text), 'hex'), 'Mozilla/5.0 (X11; Linux x86_64)',
       ('10.' || n % 250 || '.' || n / 250 % 250 || '.1')::inet, now() + interval '30 days' from ${series('sessions')}`,
    `insert into tasks (id, user_id, title, description, is_completed)
     select scale_id(n, ${all.tasks}, 't'), case when n <= ${all.tasks * heavyShare} then ${user('1')} else ${user(someUser('n'))} end,
       'Task ' || md5(n::text), case when n % 2 = 0 then repeat('words of the description ', 4) end, true from ${series('tasks')}`,
    `insert into audit_events (id, action, user_id, actor_id, ip_address, user_agent, request_id, created_at)
     select id, 'signed_in', owner, owner, ('10.' || n % 250 || '.' || n / 250 % 250 || '.1')::inet, 'Mozilla/5.0 (X11; Linux x86_64)', gen_random_uuid()::text, timestamptz '2024-11-01' + n * (interval '730 days' / ${all.events})
     from ${series('events')}, lateral (select scale_id(n, ${all.events}, 'e') as id, ${user(someUser('n'))} as owner) ids`,
  ];
  await connection.execute(`set session_replication_role = replica; ${functions}`);
  for (const part of parts) await connection.execute(part);
  await connection.execute('set session_replication_role = default');
  await connection.execute('vacuum analyze');
}
