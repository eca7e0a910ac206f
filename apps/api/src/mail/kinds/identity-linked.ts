import { defineMail, noticeSeconds } from '../kind.ts';

export const identityLinkedMail = defineMail({
  name: 'identity_linked',
  lifetimeSeconds: noticeSeconds,

  texts: {
    en: ({ site, when, reactNow }) => [
      'A way to sign in was added',
      `A sign-in provider was linked to your account at ${site} ${when}. Your account there now signs you in here.`,
      reactNow,
    ],
    de: ({ site, when, reactNow }) => [
      'Eine Anmeldung wurde hinzugefügt',
      `Mit Ihrem Konto bei ${site} wurde ${when} ein Anmeldedienst verknüpft. Das Konto dort meldet Sie nun auch hier an.`,
      reactNow,
    ],
  },
});
