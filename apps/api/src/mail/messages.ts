// The texts of all mails. They contain no text that a user can choose, such as a name: anyone can register the address of a stranger, and would choose the words
// that the server sends there.

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

/** @param appUrl the front end of the product, which has the pages behind the links */
export function createMessages(appUrl: string) {
  const { host: site, href } = new URL(appUrl);
  const linkTo = (page: string, token: string) => `${href.replace(/\/+$/, '')}/${page}?token=${token}`;

  return {
    reset_password: (token: string, { ipAddress }: Cause): Message =>
      messageOf('Reset your password', [
        `Someone${ipAddress ? ` (${ipAddress})` : ''} asked to reset the password of your account at ${site}.`,
        'If it was you, choose a new password. The link works once, for ten minutes:',
        { label: 'Choose a new password', url: linkTo('reset-password', token) },
        'If it was not you, ignore this mail. Your password does not change.',
      ]),

    verify_email: (token: string): Message =>
      messageOf('Verify your email address', [
        `Someone registered this address for an account at ${site}.`,
        'If it was you, verify the address. The link works once, for one day:',
        { label: 'Verify this address', url: linkTo('verify-email', token) },
        'If it was not you, ignore this mail. The address will not be verified.',
      ]),

    password_changed: ({ at, ipAddress }: Cause): Message =>
      messageOf('Your password was changed', [
        `The password of your account at ${site} was changed on ${timestamp(at)}${ipAddress ? ` from ${ipAddress}` : ''}.`,
        'If it was not you, reset your password now: choose "Forgotten password" on the sign-in page.',
      ]),

    email_changed: ({ at, ipAddress }: Cause): Message =>
      messageOf('Your email address was changed', [
        `The email address of your account at ${site} was changed on ${timestamp(at)}${ipAddress ? ` from ${ipAddress}` : ''}.`,
        'We will not send more mail to this address. If it was not you, contact the operator of the site now.',
      ]),

    username_changed: ({ at, ipAddress }: Cause): Message =>
      messageOf('Your username was changed', [
        `The username of your account at ${site} was changed on ${timestamp(at)}${ipAddress ? ` from ${ipAddress}` : ''}.`,
        'If it was not you, reset your password now: choose "Forgotten password" on the sign-in page.',
      ]),

    set_password: (token: string): Message =>
      messageOf('Choose a password', [
        `You verified this address for an account at ${site}. Its old password no longer works, because it was set before the address was verified.`,
        'Choose a new password. The link works once, for ten minutes. After that, choose "Forgotten password" on the sign-in page:',
        { label: 'Choose a password', url: linkTo('reset-password', token) },
      ]),
  };
}

const timestamp = (at: Date) => `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;

type Part = string | { label: string; url: string };

function messageOf(subject: string, parts: Part[]): Message {
  const text = parts.map((part) => (typeof part === 'string' ? part : part.url)).join('\n\n');
  const body = parts
    .map((part) =>
      typeof part === 'string'
        ? `<p>${escaped(part)}</p>`
        : `<p><a href="${escaped(part.url)}">${escaped(part.label)}</a></p>\n<p>${escaped(part.url)}</p>`,
    )
    .join('\n');
  const html = `<!doctype html>\n<html lang="en">\n<body style="font-family: system-ui, sans-serif">\n${body}\n</body>\n</html>\n`;
  const link = parts.find((part) => typeof part !== 'string')?.url;
  return { subject, text: `${text}\n`, html, ...(link && { link }) };
}

const escaped = (text: string) => text.replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);
