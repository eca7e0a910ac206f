import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import type { Message } from './messages.ts';

/** A message on its way. `id` is the same whenever it is tried again, so that who gets it twice can tell. */
export interface OutgoingMail extends Message {
  id: string;
  to: string;
}

/** Sends one mail, or rejects. */
export type Transport = (mail: OutgoingMail) => Promise<void>;

const outbox = '.data/outbox';
/** A server that says nothing is given up, long before somebody else may take the mail over. */
const timeouts = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 30_000 };

interface Dependencies {
  config: Pick<Config, 'smtpUrl' | 'mailFrom' | 'environment'>;
  log: { info: (fields: object, message: string) => void };
}

/** To the server of SMTP_URL; without one, into files in `.data/outbox`, and in development the links into the log. */
export function createMailTransport({ config, log }: Dependencies): Transport {
  const { smtpUrl, mailFrom, environment } = config;
  // Loaded by the first mail: most starts send none.
  const nodemailer = () => import('nodemailer');

  if (smtpUrl) {
    return async (mail) => {
      const { createTransport } = await nodemailer();
      await createTransport({ url: smtpUrl, ...timeouts }).sendMail(toMimeMessage(mail, mailFrom));
    };
  }
  return async (mail) => {
    const { createTransport } = await nodemailer();
    const writer = createTransport({ streamTransport: true, buffer: true, newline: 'unix' });
    const { message } = await writer.sendMail(toMimeMessage(mail, mailFrom));
    const file = join(outbox, `${mail.id}.eml`);
    await mkdir(outbox, { recursive: true, mode: 0o700 });
    // Under its name only when it is whole: somebody may be waiting for it.
    await writeFile(`${file}.part`, message, { mode: 0o600 });
    await rename(`${file}.part`, file);
    const link = environment === 'development' ? mail.link : undefined;
    log.info({ file, ...(link && { link }) }, 'there is no SMTP_URL: a mail was written to a file');
  };
}

/** Plain text and HTML, both in UTF-8 and quoted-printable: a relay may refuse raw 8-bit text, or break its long lines. */
function toMimeMessage({ id, to, subject, text, html }: OutgoingMail, from: string) {
  const domain = /@([^\s>]+)/.exec(from)?.[1] ?? 'localhost';
  return {
    from,
    to: { name: '', address: to },
    subject,
    text,
    html,
    textEncoding: 'quoted-printable' as const,
    messageId: `<${id}@${domain}>`,
    headers: { 'Auto-Submitted': 'auto-generated' },
  };
}
