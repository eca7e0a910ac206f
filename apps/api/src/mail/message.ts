import { brand } from './brand.ts';
import type { MailKind, MailPart } from './kind.ts';
import { type Language, languages, phrases } from './phrases.ts';

/** A mail without its recipient. */
export interface Message {
  subject: string;
  text: string;
  html: string;
  /** The link in the text. */
  link?: string;
}

export interface Cause {
  at: Date;
  ipAddress: string | null;
}

/** What a mail delivers: the token of its link, or a code. */
export interface MailSecret {
  token?: string;
  code?: string;
}

/** Writes the message of a kind in the language of a locale. */
export type ComposeMail = <Data>(
  kind: MailKind,
  locale: string,
  cause: Cause,
  content: { data: Data; secret?: MailSecret },
) => Message;

/** @param appUrl the front end of the product, which has the pages behind the links */
export function createMessages(appUrl: string): ComposeMail {
  const { host: site, href } = new URL(appUrl);
  return ({ page, parameters, texts }, locale, cause, { data, secret = {} }) => {
    const language = languageOf(locale);
    const at = `${cause.at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
    const facts = {
      site,
      at,
      ipAddress: cause.ipAddress,
      url: page
        ? `${href.replace(/\/+$/, '')}/${page}?${new URLSearchParams({ ...secret, ...parameters?.(data) })}`
        : '',
      code: secret.code ?? '',
      data,
      ...phrases[language]({ at, ipAddress: cause.ipAddress }),
    };
    const [subject, ...parts] = texts[language](facts);
    const link = parts.find(isLink)?.url;
    return { subject, text: textOf(parts), html: htmlOf(language, subject, parts), ...(link && { link }) };
  };
}

function languageOf(locale: string): Language {
  const language = locale.split('-')[0]?.toLowerCase();
  return languages.find((one) => one === language) ?? 'en';
}

const isLink = (part: MailPart) => typeof part !== 'string' && 'url' in part;

const textOf = (parts: MailPart[]) =>
  `${parts.map((part) => (typeof part === 'string' ? part : 'url' in part ? part.url : part.code)).join('\n\n')}\n`;

const font = 'font-family:system-ui,-apple-system,Segoe UI,Roboto,sans-serif';
const paragraph = `margin:0 0 16px;font-size:16px;line-height:1.6;color:${brand.ink}`;

/** Tables and inline styles, because mail programs ignore most of CSS (https://www.caniemail.com). */
function htmlOf(language: Language, subject: string, parts: MailPart[]): string {
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(subject)}</title>
</head>
<body style="margin:0;padding:0;background:${brand.paper};${font}">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="background:${brand.paper}">
<tr><td align="center" style="padding:32px 16px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="max-width:560px">
<tr><td style="padding:0 0 16px;font-size:18px;font-weight:700;color:${brand.accent}">${escaped(brand.name)}</td></tr>
<tr><td style="padding:32px;background:${brand.card};border:1px solid ${brand.line};border-radius:8px">
<h1 style="margin:0 0 16px;font-size:22px;line-height:1.3;color:${brand.ink}">${escaped(subject)}</h1>
${parts.map(partHtml).join('\n')}
</td></tr>
</table>
</td></tr>
</table>
</body>
</html>
`;
}

function partHtml(part: MailPart): string {
  if (typeof part === 'string') return `<p style="${paragraph}">${escaped(part)}</p>`;
  if ('code' in part)
    return `<p style="${paragraph};font-size:32px;font-weight:700;letter-spacing:6px">${escaped(part.code)}</p>`;
  return `<p style="${paragraph}"><a href="${escaped(part.url)}" style="display:inline-block;padding:12px 20px;background:${brand.accent};color:#ffffff;text-decoration:none;border-radius:6px;font-weight:600">${escaped(part.label)}</a></p>
<p style="${paragraph};font-size:13px;color:${brand.soft};word-break:break-all">${escaped(part.url)}</p>`;
}

const escaped = (text: string) => text.replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);
