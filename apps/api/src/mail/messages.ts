// Every text that is mailed. Nothing in them is of the account's own making (no name, no username): anybody can register anybody's
// address, and would choose the words that we then send there.

/** What is sent, but for where it goes. */
export interface Message {
  subject: string;
  text: string;
  html: string;
  /** The link that the message is about. */
  link?: string;
}

interface Cause {
  at: Date;
  ipAddress: string | null;
}

/** @param appUrl the product's own front end, which has the pages behind the links */
export function createMessages(appUrl: string) {
  const { host: site, href } = new URL(appUrl);
  const linkTo = (page: string, token: string) => `${href.replace(/\/+$/, '')}/${page}?token=${token}`;

  return {
    reset_password: (token: string, { ipAddress }: Cause): Message =>
      messageOf('Reset your password', [
        `Somebody${ipAddress ? ` (${ipAddress})` : ''} asked to reset the password of your account at ${site}.`,
        'If it was you, choose a new one here. The link is good for ten minutes, and once:',
        { label: 'Choose a new password', url: linkTo('reset-password', token) },
        'If it was not you, do nothing: your password stays as it is.',
      ]),

    verify_email: (token: string): Message =>
      messageOf('Verify your email address', [
        `Somebody gave this address for an account at ${site}.`,
        'If it was you, say so here. The link is good for a day:',
        { label: 'Verify this address', url: linkTo('verify-email', token) },
        'If it was not you, do not open it: the account then never counts as yours.',
      ]),

    password_changed: ({ at, ipAddress }: Cause): Message =>
      messageOf('Your password was changed', [
        `The password of your account at ${site} was changed on ${moment(at)}${ipAddress ? `, from ${ipAddress}` : ''}.`,
        'If it was not you, ask for a new one at once with "Forgotten password" where you sign in.',
      ]),

    email_changed: ({ at, ipAddress }: Cause): Message =>
      messageOf('Your email address was changed', [
        `Your account at ${site} was given another email address on ${moment(at)}${ipAddress ? `, from ${ipAddress}` : ''}.`,
        'This is the last mail to this one. If it was not you, tell those who run the site at once.',
      ]),

    username_changed: ({ at, ipAddress }: Cause): Message =>
      messageOf('Your username was changed', [
        `The username of your account at ${site} was changed on ${moment(at)}${ipAddress ? `, from ${ipAddress}` : ''}.`,
        'If it was not you, choose a new password at once with "Forgotten password" where you sign in.',
      ]),

    set_password: (token: string): Message =>
      messageOf('Choose a password', [
        `You verified this address for an account at ${site}. Its old password no longer works, because it was set before the address was verified.`,
        'Choose a new password here. The link works once, for ten minutes. After that, ask for another one with "Forgotten password":',
        { label: 'Choose a password', url: linkTo('reset-password', token) },
      ]),
  };
}

const moment = (at: Date) => `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;

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
