import type { MailKind } from '@quoin/db';
import { type Part, textsByLanguage } from './texts.ts';

/** A mail without its recipient. */
export interface Message {
  subject: string;
  text: string;
  html: string;
  /** The link in the text. */
  link?: string;
}

interface Cause {
  at: Date;
  ipAddress: string | null;
}

/** What a mail delivers: the token of its link, or a code. */
export interface MailSecret {
  token?: string;
  code?: string;
}

const pages: Partial<Record<MailKind, string>> = {
  reset_password: 'reset-password',
  set_password: 'reset-password',
  verify_email: 'verify-email',
  sign_in_code: 'sign-in',
};
const languageDefault = 'en';

export type ComposeMail = (kind: MailKind, locale: string, cause: Cause, secret?: MailSecret) => Message;

/** @param appUrl the front end of the product, which has the pages behind the links */
export function createMessages(appUrl: string): ComposeMail {
  const { host: site, href } = new URL(appUrl);
  return (kind, locale, { at, ipAddress }, secret = {}) => {
    const language = locale.split('-')[0]?.toLowerCase() ?? '';
    const known = Object.hasOwn(textsByLanguage, language) ? language : languageDefault;
    const page = pages[kind];
    const url = page ? `${href.replace(/\/+$/, '')}/${page}?${new URLSearchParams({ ...secret })}` : '';
    const texts = textsByLanguage[known]?.({ site, at: timestamp(at), ipAddress, url, code: secret.code ?? '' });
    if (!texts) throw new Error(`no texts for ${known}`);
    const [subject, ...parts] = texts[kind];
    return messageOf(known, subject, parts);
  };
}

const timestamp = (at: Date) => `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;

function messageOf(language: string, subject: string, parts: Part[]): Message {
  const text = parts.map((part) => (typeof part === 'string' ? part : part.url)).join('\n\n');
  const body = parts
    .map((part) =>
      typeof part === 'string'
        ? `<p>${escaped(part)}</p>`
        : `<p><a href="${escaped(part.url)}">${escaped(part.label)}</a></p>\n<p>${escaped(part.url)}</p>`,
    )
    .join('\n');
  const html = `<!doctype html>\n<html lang="${language}">\n<body style="font-family: system-ui, sans-serif">\n${body}\n</body>\n</html>\n`;
  const link = parts.find((part) => typeof part !== 'string')?.url;
  return { subject, text: `${text}\n`, html, ...(link && { link }) };
}

const escaped = (text: string) => text.replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);
