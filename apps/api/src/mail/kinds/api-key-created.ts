import { defineMail, noticeSeconds } from '../kind.ts';

export const apiKeyCreatedMail = defineMail({
  name: 'api_key_created',
  lifetimeSeconds: noticeSeconds,

  texts: {
    en: ({ site, when }) => [
      'An API key was created',
      `An API key of your account at ${site} was created ${when}. With it, a program can use your account within the limits of the key.`,
      'If it was not you, revoke the key, reset your password, and contact the operator of the site now.',
    ],
    de: ({ site, when }) => [
      'Ein API-Schlüssel wurde erstellt',
      `Für Ihr Konto bei ${site} wurde ${when} ein API-Schlüssel erstellt. Mit ihm kann ein Programm Ihr Konto benutzen, in den Grenzen des Schlüssels.`,
      'Waren Sie es nicht, widerrufen Sie den Schlüssel, setzen Sie Ihr Passwort zurück, und wenden Sie sich jetzt an den Betreiber der Seite.',
    ],
  },
});
