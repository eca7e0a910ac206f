import { defineEntity, p } from '@mikro-orm/core';
import { createdAt, id, systemPolicy, timestamp } from './columns.ts';
import type { MailKind } from './values.ts';

export const MailSchema = defineEntity({
  name: 'Mail',
  tableName: 'mails',
  comment:
    'Outbox: mails to send. A row is inserted in the transaction of its cause and deleted when the mail is sent. It contains no token.',
  properties: {
    id: id(),
    kind: p.string().$type<MailKind>().length(30).comment('Which message to send: reset_password, verify_email, …'),
    recipient: p.string().length(255).comment('Email address of the recipient.'),
    user_agent: p.string().length(255).nullable().comment('User-Agent of the request that caused the mail.'),
    ip_address: p.string().columnType('inet').nullable().comment('Client address of that request.'),
    request_id: p.string().length(128).nullable().comment('X-Request-Id of that request.'),
    attempts: p.integer().default(0).comment('Number of attempts to send it.'),
    next_attempt_at: timestamp()
      .defaultRaw('now()')
      .comment('When to try next. While a process sends the mail: when another process may take over.'),
    created_at: createdAt(),
    expires_at: timestamp().comment('After this time the mail is useless and is dropped.'),
  },
  indexes: [{ name: 'idx_mails_next_attempt_at', properties: ['next_attempt_at'] }],
  rowLevelSecurity: 'force',
  policies: [
    // A user's unit of work can send mail to that user only.
    {
      name: 'mails_owner',
      command: 'insert',
      roles: ['quoin_app'],
      check: 'recipient = (select quoin_user_email())',
    },
    systemPolicy('mails'),
  ],
});
