import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Transporter } from 'nodemailer';
import type { Config } from '../config/config.ts';
import type { Message } from './message.ts';

/** A mail to send. Every attempt has the same `id`, so that a recipient who gets it twice can tell. */
export interface OutgoingMail extends Message {
  id: string;
  to: string;
}

/** Sends one mail, or rejects. */
export interface Transport {
  /** @param signal gives up */
  (mail: OutgoingMail, signal?: AbortSignal): Promise<void>;
  /** Closes the connections to the mail server. */
  close?: () => void;
}

const outbox = '.data/outbox';
/** Much shorter than an attempt of the job may take. Idle connections are closed after `socketTimeout`. */
const options = {
  pool: true,
  maxConnections: 5,
  connectionTimeout: 10_000,
  greetingTimeout: 10_000,
  socketTimeout: 30_000,
};

interface Dependencies {
  config: Pick<Config, 'smtpUrl' | 'mailFrom' | 'environment'>;
  log: { info: (fields: object, message: string) => void };
}

/** Sends mail to the server of SMTP_URL. Without one, writes files to `.data/outbox` and, in development, the links to the log. */
export function createMailTransport({ config, log }: Dependencies): Transport {
  const { smtpUrl, mailFrom, environment } = config;
  // Loaded by the first mail: most processes send none.
  const nodemailer = () => import('nodemailer');

  if (smtpUrl) {
    let opened: Promise<Transporter> | undefined;
    const open = async () => (await nodemailer()).createTransport({ url: smtpUrl, ...options });
    const send = async (mail: OutgoingMail, signal?: AbortSignal) => {
      opened ??= open();
      // Gives up when the signal is aborted, and closes the connection of that mail.
      await (await opened).sendMail({ ...toMimeMessage(mail, mailFrom), ...(signal && { signal }) });
    };
    return Object.assign(send, { close: () => void opened?.then((transporter) => transporter.close()) });
  }
  return async (mail) => {
    const { createTransport } = await nodemailer();
    const writer = createTransport({ streamTransport: true, buffer: true, newline: 'unix' });
    const { message } = await writer.sendMail(toMimeMessage(mail, mailFrom));
    const file = join(outbox, `${mail.id}.eml`);
    await mkdir(outbox, { recursive: true, mode: 0o700 });
    // Renamed when complete, because another program may wait for it.
    await writeFile(`${file}.part`, message, { mode: 0o600 });
    await rename(`${file}.part`, file);
    const link = environment === 'development' ? mail.link : undefined;
    log.info({ file, ...(link && { link }) }, 'SMTP_URL is not set: wrote a mail to a file');
  };
}

/** Plain text and HTML, in UTF-8 and quoted-printable: a relay may refuse raw 8-bit text, or break long lines. */
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
