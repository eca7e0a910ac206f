import { defineMail, noticeSeconds } from '../kind.ts';

export const emailChangedMail = defineMail({
  name: 'email_changed',
  lifetimeSeconds: noticeSeconds,

  texts: {
    en: ({ site, when }) => [
      'Your email address was changed',
      `The email address of your account at ${site} was changed ${when}.`,
      'We will not send more mail to this address. If it was not you, contact the operator of the site now.',
    ],
    de: ({ site, when }) => [
      'Ihre E-Mail-Adresse wurde geändert',
      `Die E-Mail-Adresse Ihres Kontos bei ${site} wurde ${when} geändert.`,
      'An diese Adresse senden wir nichts mehr. Waren Sie es nicht, wenden Sie sich jetzt an den Betreiber der Seite.',
    ],
  },
});
