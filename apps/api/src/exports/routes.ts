import { clientOf } from '../http/client.ts';
import { freshSeconds } from '../http/errors.ts';
import type { App } from '../http/schema.ts';
import type { Throttle } from '../http/throttle/throttle.ts';
import { AccountExport, ExportArchive, ExportParams } from './schemas.ts';
import type { Exports } from './service.ts';

/** An archive reads and writes all rows of the user. */
const exportsOfOneUser: Throttle = {
  name: 'exports',
  account: { of: ({ scope }) => scope.actor.userId, fromAll: { burst: 3, perMinute: 3 / 1_440 } },
};

export function exportRoutes(app: App, { exports }: { exports: Exports }): void {
  app.post(
    '/users/me/exports',
    {
      schema: {
        operationId: 'requestExport',
        tags: ['users'],
        summary: 'Request an archive of your data',
        description: 'You get a mail when the archive is complete. It stays for a week.',
        response: { 202: AccountExport },
      },
      config: { fresh: freshSeconds, throttle: exportsOfOneUser },
    },
    async (request, reply) => reply.code(202).send(await exports.request(request.scope, clientOf(request))),
  );

  app.get(
    '/users/me/exports/:export_id',
    {
      schema: {
        operationId: 'getExport',
        tags: ['users'],
        summary: 'Download an archive of your data',
        description:
          'All rows of your account, as JSON. Answers 202 with the state of the export until the archive is complete.',
        params: ExportParams,
        response: { 200: ExportArchive, 202: AccountExport },
      },
      config: { problems: ['not_found'], concurrency: { name: 'exports', perUser: 1 } },
    },
    async ({ scope, params }, reply) => {
      const { archive, ...state } = { archive: undefined, ...(await exports.find(scope, params.export_id)) };
      if (!archive) return reply.code(202).header('retry-after', '5').send(state);
      return reply
        .headers({
          'content-type': 'application/json; charset=utf-8',
          'content-disposition': 'attachment; filename="export.json"',
        })
        .send(archive as never);
    },
  );
}
