import { defineMail, noticeSeconds } from '../kind.ts';

export const identityUnlinkedMail = defineMail({
  name: 'identity_unlinked',
  lifetimeSeconds: noticeSeconds,

  texts: {
    en: ({ site, when, reactNow }) => [
      'A way to sign in was removed',
      `A sign-in provider was unlinked from your account at ${site} ${when}.`,
      reactNow,
    ],
    de: ({ site, when, reactNow }) => [
      'Eine Anmeldung wurde entfernt',
      `Von Ihrem Konto bei ${site} wurde ${when} ein Anmeldedienst getrennt.`,
      reactNow,
    ],
  },
});
