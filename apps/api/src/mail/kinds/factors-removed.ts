import { defineMail, noticeSeconds } from '../kind.ts';

export const factorsRemovedMail = defineMail({
  name: 'factors_removed',
  lifetimeSeconds: noticeSeconds,

  texts: {
    en: ({ site, at }) => [
      'Your second factors were removed',
      `An admin removed the second factors and passkeys of your account at ${site} on ${at}, and ended its sessions. Signing in needs no second factor now.`,
      'Add a second factor again after you have signed in. If you did not ask for this, contact the operator of the site now.',
    ],
    de: ({ site, at }) => [
      'Ihre zweiten Faktoren wurden entfernt',
      `Am ${at} wurden die zweiten Faktoren und Passkeys Ihres Kontos bei ${site} von der Verwaltung entfernt und alle Sitzungen beendet. Die Anmeldung braucht nun keinen zweiten Faktor.`,
      'Richten Sie nach dem Anmelden wieder einen zweiten Faktor ein. Haben Sie das nicht gewünscht, wenden Sie sich jetzt an den Betreiber der Seite.',
    ],
  },
});
