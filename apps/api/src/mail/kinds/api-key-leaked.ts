import { defineMail, noticeSeconds } from '../kind.ts';

export const apiKeyLeakedMail = defineMail({
  name: 'api_key_leaked',
  lifetimeSeconds: noticeSeconds,

  texts: {
    en: ({ site, when }) => [
      'An API key was revoked',
      `Someone reported an API key of your account at ${site} as leaked ${when}, so it was revoked. Programs that used it have stopped working. Your list of API keys shows which ones are left.`,
      'Give these programs a new key, and find out where the old one was published.',
    ],
    de: ({ site, when }) => [
      'Ein API-Schlüssel wurde widerrufen',
      `Jemand hat ${when} einen API-Schlüssel Ihres Kontos bei ${site} als veröffentlicht gemeldet. Er wurde widerrufen. Programme, die ihn benutzt haben, funktionieren nicht mehr. Ihre Liste der API-Schlüssel zeigt, welche übrig sind.`,
      'Geben Sie diesen Programmen einen neuen Schlüssel, und stellen Sie fest, wo der alte veröffentlicht wurde.',
    ],
  },
});
