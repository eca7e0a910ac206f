import { defineMail, noticeSeconds } from '../kind.ts';

export const passkeyAddedMail = defineMail({
  name: 'passkey_added',
  lifetimeSeconds: noticeSeconds,

  texts: {
    en: ({ site, when, reactNow }) => [
      'A passkey was added',
      `A passkey was added to your account at ${site} ${when}. Signing in with a password now needs a second factor. Keep recovery codes for the day when you have no passkey at hand.`,
      reactNow,
    ],
    de: ({ site, when, reactNow }) => [
      'Ein Passkey wurde hinzugefügt',
      `Zu Ihrem Konto bei ${site} wurde ${when} ein Passkey hinzugefügt. Die Anmeldung mit Passwort braucht nun einen zweiten Faktor. Bewahren Sie Wiederherstellungscodes auf, für den Tag, an dem kein Passkey zur Hand ist.`,
      reactNow,
    ],
  },
});
