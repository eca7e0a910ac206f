import { defineMail, noticeSeconds } from '../kind.ts';

export const newSignInMail = defineMail({
  name: 'new_sign_in',
  lifetimeSeconds: noticeSeconds,

  texts: {
    en: ({ site, when, resetNow }) => [
      'New sign-in to your account',
      `Someone signed in to your account at ${site} ${when}, from a network or with a browser that you have not used before.`,
      `If it was you, ignore this mail. ${resetNow}`,
    ],
    de: ({ site, when, resetNow }) => [
      'Neue Anmeldung bei Ihrem Konto',
      `Jemand hat sich ${when} bei Ihrem Konto bei ${site} angemeldet, aus einem Netz oder mit einem Browser, die Sie bisher nicht benutzt haben.`,
      `Waren Sie es, ist nichts zu tun. ${resetNow}`,
    ],
  },
});
