import { Type } from 'typebox';
import { defineMail, noticeSeconds } from '../kind.ts';

export const webhookDisabledMail = defineMail({
  name: 'webhook_disabled',
  lifetimeSeconds: noticeSeconds,
  data: Type.Object({ host: Type.String() }),
  example: { host: 'hooks.example.com' },
  texts: {
    en: ({ site, data }) => [
      'A webhook endpoint was disabled',
      `Events of your account at ${site} could not be delivered to ${data.host}, so the endpoint was disabled.`,
      'Correct the endpoint, and then enable it again. Events from the meantime are not sent.',
    ],
    de: ({ site, data }) => [
      'Ein Webhook-Endpunkt wurde abgeschaltet',
      `Ereignisse Ihres Kontos bei ${site} konnten nicht an ${data.host} zugestellt werden. Der Endpunkt wurde deshalb abgeschaltet.`,
      'Beheben Sie den Fehler, und schalten Sie den Endpunkt wieder ein. Ereignisse aus der Zwischenzeit werden nicht gesendet.',
    ],
  },
});
