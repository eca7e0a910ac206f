import { Type } from '@fastify/type-provider-typebox';
import { type Database, DatabaseUnavailable, migrations } from '@quoin/db';
import { Problem } from '../http/errors.ts';
import { type App, closed } from '../http/schema.ts';

const Health = closed({ status: Type.Literal('ok') }, { title: 'Health' });
const DatabaseHealth = closed(
  { status: Type.Literal('ok'), database: Type.Literal('connected') },
  { title: 'DatabaseHealth' },
);

interface Dependencies {
  database: Database;
  /** Whether the process is stopping. */
  isDraining: () => boolean;
}

/** Liveness depends on nothing but the process, because a supervisor restarts it if the check fails. */
export function healthRoutes(
  app: App,
  { database, isDraining }: Dependencies,
  { suffix = '' }: { suffix?: string } = {},
) {
  app.get(
    '/health',
    {
      schema: {
        operationId: `getHealth${suffix}`,
        tags: ['operations'],
        summary: 'Check that the process answers',
        description: 'Does not ask the database.',
        response: { 200: Health },
      },
      config: { public: true, evenWhenOverloaded: true },
    },
    async () => ({ status: 'ok' as const }),
  );

  app.get(
    '/health/db',
    {
      schema: {
        operationId: `getDatabaseHealth${suffix}`,
        tags: ['operations'],
        summary: 'Check that the database answers',
        description: 'Answers 503 while the database cannot be reached.',
        response: { 200: DatabaseHealth },
      },
      config: { public: true, evenWhenOverloaded: true },
    },
    async () => {
      await database.ping();
      return { status: 'ok' as const, database: 'connected' as const };
    },
  );

  app.get(
    '/health/ready',
    {
      schema: {
        operationId: `getReadiness${suffix}`,
        tags: ['operations'],
        summary: 'Check that the server accepts requests',
        description: '503 while draining, without a database that can be written, and while migrations are pending.',
        response: { 200: Health },
      },
      config: { public: true, evenWhenOverloaded: true, problems: ['shutting_down'] },
    },
    async () => {
      if (isDraining()) throw new Problem('shutting_down', 'The server is shutting down.');
      await database.ping();
      const pending = await migrations.pending(database);
      if (pending.length > 0) throw new DatabaseUnavailable(`migrations are pending: ${pending.join(', ')}`);
      return { status: 'ok' as const };
    },
  );
}
