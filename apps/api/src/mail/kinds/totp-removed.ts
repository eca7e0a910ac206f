import { defineMail, noticeSeconds } from '../kind.ts';

export const totpRemovedMail = defineMail({
  name: 'totp_removed',
  lifetimeSeconds: noticeSeconds,

  texts: {
    en: ({ site, when, reactNow }) => [
      'Your authenticator app was removed',
      `The authenticator app of your account at ${site} was removed ${when}.`,
      reactNow,
    ],
    de: ({ site, when, reactNow }) => [
      'Ihre Authenticator-App wurde entfernt',
      `Die Authenticator-App Ihres Kontos bei ${site} wurde ${when} entfernt.`,
      reactNow,
    ],
  },
});
