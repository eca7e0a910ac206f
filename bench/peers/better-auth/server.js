import { createServer } from 'node:http';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import { toNodeHandler } from 'better-auth/node';
import { bearer } from 'better-auth/plugins';
import pg from 'pg';

const { DATABASE_URL, JWT_SECRET, PORT, HOST } = process.env;

const auth = betterAuth({
  baseURL: `http://${HOST}:${PORT}`,
  secret: JWT_SECRET,
  database: new pg.Pool({ connectionString: DATABASE_URL }),
  emailAndPassword: { enabled: true },
  plugins: [bearer()],
  rateLimit: { enabled: false },
});

const { runMigrations } = await getMigrations(auth.options);
await runMigrations();
createServer(toNodeHandler(auth)).listen(Number(PORT), HOST);
