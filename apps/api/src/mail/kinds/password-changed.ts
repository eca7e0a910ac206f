import { defineMail, noticeSeconds } from '../kind.ts';

export const passwordChangedMail = defineMail({
  name: 'password_changed',
  lifetimeSeconds: noticeSeconds,

  texts: {
    en: ({ site, when, resetNow }) => [
      'Your password was changed',
      `The password of your account at ${site} was changed ${when}. API keys and linked sign-in providers still work.`,
      `${resetNow} Then check your API keys and sign-in providers.`,
    ],
    de: ({ site, when, resetNow }) => [
      'Ihr Passwort wurde geändert',
      `Das Passwort Ihres Kontos bei ${site} wurde ${when} geändert. API-Schlüssel und verknüpfte Anmeldedienste gelten weiter.`,
      `${resetNow} Prüfen Sie danach Ihre API-Schlüssel und Anmeldedienste.`,
    ],
  },
});
