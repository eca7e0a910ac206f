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
  /** Whether the process is going down. */
  isDraining: () => boolean;
}

/** Whether the process lives: asked by whoever restarts it, so it depends on nothing else. */
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
        summary: 'Whether the process answers',
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
        summary: 'Whether the database answers',
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
        summary: 'Whether requests should be sent here',
        description: '503 while draining, without a database, and with migrations pending.',
        response: { 200: Health },
      },
      config: { public: true, evenWhenOverloaded: true, problems: ['shutting_down'] },
    },
    async () => {
      if (isDraining()) throw new Problem('shutting_down', 'This server takes no new requests.');
      const pending = await migrations.pending(database);
      if (pending.length > 0) throw new DatabaseUnavailable(`migrations are pending: ${pending.join(', ')}`);
      return { status: 'ok' as const };
    },
  );
}
