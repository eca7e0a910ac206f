import { defineMail } from '../kind.ts';

export const verifyEmailMail = defineMail({
  name: 'verify_email',
  lifetimeSeconds: 86_400,

  secret: 'verify_email',
  page: 'verify-email',
  isRequested: true,
  texts: {
    en: ({ site, url }) => [
      'Verify your email address',
      `Someone registered this address for an account at ${site}.`,
      'If it was you, verify the address. The link works once, for one day:',
      { label: 'Verify this address', url },
      'If it was not you, ignore this mail. The address will not be verified.',
    ],
    de: ({ site, url }) => [
      'Bestätigen Sie Ihre E-Mail-Adresse',
      `Jemand hat diese Adresse für ein Konto bei ${site} angegeben.`,
      'Waren Sie es, bestätigen Sie die Adresse. Der Link gilt einmal und einen Tag lang:',
      { label: 'Adresse bestätigen', url },
      'Waren Sie es nicht, ist nichts zu tun. Die Adresse wird nicht bestätigt.',
    ],
  },
});
