import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createVerifier } from 'fast-jwt';
import pg from 'pg';

// A hand-written server, one prepared statement per request: no framework, no validation, no row level security, no check for revoked sessions, and
// the fastest JWT verifier with its cache. The responses are the same as Quoin's.

const { DATABASE_URL, JWT_SECRET = '', PORT } = process.env;
const pool = new pg.Pool({ connectionString: DATABASE_URL });
const verify = createVerifier({ key: JWT_SECRET, algorithms: ['HS256'], cache: 10_000 });
const pageSize = 20;

const userStatement = `select id, email, username, full_name, is_active, is_admin, email_verified_at, created_at, updated_at
  from users where id = $1`;
const taskColumns = 'id, user_id, title, description, is_completed, created_at, updated_at';
const tasksStatement = `select ${taskColumns} from tasks where user_id = $1 order by id desc limit $2`;
const newTaskStatement = `insert into tasks (id, user_id, title, description) values (gen_random_uuid(), $1, $2, $3)
  returning ${taskColumns}`;
const refreshStatement = `update user_sessions set generation = generation + 1, rotated_at = now(), last_used_at = now()
  where id = $1 and generation = $2 and revoked_at is null and expires_at > now() returning id, generation`;

const query = async (name: string, text: string, values: unknown[]) => (await pool.query({ name, text, values })).rows;
const userIdOf = ({ headers }: IncomingMessage): string => verify(headers.authorization?.slice(7) ?? '').sub;

async function bodyOf(request: IncomingMessage) {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}

const routes: Record<string, (request: IncomingMessage) => Promise<{ status?: number; body: unknown }>> = {
  'GET /users/me': async (request) => ({ body: (await query('user', userStatement, [userIdOf(request)]))[0] }),

  'GET /tasks': async (request) => {
    const rows = await query('tasks', tasksStatement, [userIdOf(request), pageSize + 1]);
    const items = rows.slice(0, pageSize);
    return { body: { items, next_cursor: rows.length > pageSize ? items.at(-1).id : null } };
  },

  'POST /tasks': async (request) => {
    const userId = userIdOf(request);
    const { title, description = null } = await bodyOf(request);
    return { status: 201, body: (await query('new task', newTaskStatement, [userId, title, description]))[0] };
  },

  'POST /refresh': async (request) => {
    const { refresh_token } = await bodyOf(request);
    const [id, generation] = refresh_token.split('.');
    const [session] = await query('refresh', refreshStatement, [id, Number(generation)]);
    return session
      ? { body: { refresh_token: `${session.id}.${session.generation}` } }
      : { status: 401, body: { error: 'invalid_token' } };
  },
};

async function answer(request: IncomingMessage, response: ServerResponse) {
  const route = routes[`${request.method} ${request.url}`];
  const { status = 200, body } = route ? await route(request) : { status: 404, body: {} };
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

createServer((request, response) => {
  answer(request, response).catch((error) => {
    process.stderr.write(`${error.stack}\n`);
    response.writeHead(500).end();
  });
}).listen(Number(PORT), '127.0.0.1');
