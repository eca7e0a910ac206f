import { defineMail, noticeSeconds } from '../kind.ts';

export const usernameChangedMail = defineMail({
  name: 'username_changed',
  lifetimeSeconds: noticeSeconds,

  texts: {
    en: ({ site, when, resetNow }) => [
      'Your username was changed',
      `The username of your account at ${site} was changed ${when}.`,
      resetNow,
    ],
    de: ({ site, when, resetNow }) => [
      'Ihr Benutzername wurde geändert',
      `Der Benutzername Ihres Kontos bei ${site} wurde ${when} geändert.`,
      resetNow,
    ],
  },
});
