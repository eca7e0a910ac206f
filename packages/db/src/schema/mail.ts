import { defineEntity, p } from '@mikro-orm/core';
import type { MailKind } from '../repositories/mails.ts';
import { createdAt, id, systemPolicy } from './columns.ts';

export const MailSchema = defineEntity({
  name: 'Mail',
  tableName: 'mails',
  comment:
    'What is to be mailed: written together with its cause, and deleted when it is sent. Says what to write, not the words: no token is in it.',
  properties: {
    id: id(),
    kind: p.string().$type<MailKind>().length(30).comment('Which message: reset_password, verify_email, …'),
    recipient: p.string().length(255).comment('The address that it goes to.'),
    user_agent: p.string().length(255).nullable().comment('The client whose request caused it.'),
    ip_address: p.string().columnType('inet').nullable().comment('Where that request came from.'),
    request_id: p.string().length(128).nullable().comment('The X-Request-Id of that request.'),
    attempts: p.integer().default(0).comment('How often sending it has been begun.'),
    next_attempt_at: p
      .datetime()
      .columnType('timestamptz')
      .defaultRaw('now()')
      .comment('When it is tried next; while somebody is sending it, when another one may take over.'),
    created_at: createdAt(),
    expires_at: p.datetime().columnType('timestamptz').comment('When it is of no use any more, and given up.'),
  },
  indexes: [{ name: 'idx_mails_next_attempt_at', properties: ['next_attempt_at'] }],
  policies: [
    // A user's unit of work may mail the user, and nobody else.
    {
      name: 'mails_owner',
      command: 'insert',
      roles: ['quoin_app'],
      check: `recipient = (select email from users where id = nullif(current_setting('app.user_id', true), '')::uuid)`,
    },
    systemPolicy('mails'),
  ],
});
