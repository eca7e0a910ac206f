import { Type } from 'typebox';
import { defineMail } from '../kind.ts';

export const signInCodeMail = defineMail({
  name: 'sign_in_code',
  lifetimeSeconds: 600,
  data: Type.Object({
    challenge: Type.String({ description: 'SHA-256 of the challenge that the code counts with, base64url.' }),
  }),
  example: { challenge: '' },
  secret: 'sign_in_code',
  page: 'sign-in',
  isRequested: true,
  requestEvent: 'email_code_requested',
  texts: {
    en: ({ site, someone, url, code }) => [
      `Your code to sign in: ${code}`,
      `${someone} wants to sign in to your account at ${site}.`,
      'If it was you, type this code where you asked for it. It works once, for ten minutes:',
      { code },
      { label: 'Open the sign-in page', url },
      'If it was not you, ignore this mail, and do not share the code.',
    ],
    de: ({ site, someone, url, code }) => [
      `Ihr Code zum Anmelden: ${code}`,
      `${someone} möchte sich bei Ihrem Konto bei ${site} anmelden.`,
      'Waren Sie es, geben Sie diesen Code dort ein, wo Sie ihn angefordert haben. Er gilt einmal und zehn Minuten lang:',
      { code },
      { label: 'Zur Anmeldeseite', url },
      'Waren Sie es nicht, ist nichts zu tun. Geben Sie den Code niemandem.',
    ],
  },
});
