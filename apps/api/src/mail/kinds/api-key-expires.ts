import { defineMail, noticeSeconds } from '../kind.ts';

export const apiKeyExpiresMail = defineMail({
  name: 'api_key_expires',
  lifetimeSeconds: noticeSeconds,

  texts: {
    en: ({ site }) => [
      'An API key expires soon',
      `An API key of your account at ${site} expires within a week. Programs that use it will stop working.`,
      'Create a new key, and give it to these programs.',
    ],
    de: ({ site }) => [
      'Ein API-Schlüssel läuft bald ab',
      `Ein API-Schlüssel Ihres Kontos bei ${site} läuft in weniger als einer Woche ab. Programme, die ihn benutzen, funktionieren dann nicht mehr.`,
      'Erstellen Sie einen neuen Schlüssel, und geben Sie ihn diesen Programmen.',
    ],
  },
});
