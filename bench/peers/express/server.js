import express from 'express';
import jwt from 'jsonwebtoken';
import pg from 'pg';

const { DATABASE_URL, JWT_SECRET, PORT, HOST } = process.env;
const pool = new pg.Pool({ connectionString: DATABASE_URL });
const app = express();

app.use(express.json());

function requireUser(req, res, next) {
  const [scheme, token] = (req.headers.authorization ?? '').split(' ');
  if (scheme !== 'Bearer' || !token) return res.status(401).json({ error: 'Unauthorized' });
  try {
    req.userId = jwt.verify(token, JWT_SECRET, { algorithms: ['HS256'] }).sub;
  } catch {
    return res.status(401).json({ error: 'Unauthorized' });
  }
  next();
}

app.get('/users/me', requireUser, async (req, res) => {
  const { rows } = await pool.query(
    `select id, email, username, full_name, is_active, is_admin, email_verified_at, created_at, updated_at
     from users where id = $1 and is_active`,
    [req.userId],
  );
  if (rows.length === 0) return res.status(401).json({ error: 'Unauthorized' });
  res.json(rows[0]);
});

const pageSize = 20;

app.get('/tasks', requireUser, async (req, res) => {
  const { rows } = await pool.query(
    `select id, user_id, title, description, is_completed, created_at, updated_at
     from tasks where user_id = $1 order by id desc limit $2`,
    [req.userId, pageSize + 1],
  );
  const items = rows.slice(0, pageSize);
  res.json({ items, next_cursor: rows.length > pageSize ? items.at(-1).id : null });
});

app.post('/tasks', requireUser, async (req, res) => {
  const { title, description = null } = req.body ?? {};
  if (typeof title !== 'string' || title.length < 1 || title.length > 200) {
    return res.status(422).json({ error: 'title must have 1 to 200 characters' });
  }
  const { rows } = await pool.query(
    `insert into tasks (id, user_id, title, description) values (gen_random_uuid(), $1, $2, $3)
     returning id, user_id, title, description, is_completed, created_at, updated_at`,
    [req.userId, title, description],
  );
  res.status(201).json(rows[0]);
});

app.listen(Number(PORT), HOST);
