import { defineMail, noticeSeconds } from '../kind.ts';

export const passkeyRemovedMail = defineMail({
  name: 'passkey_removed',
  lifetimeSeconds: noticeSeconds,

  texts: {
    en: ({ site, when, reactNow }) => [
      'A passkey was removed',
      `A passkey of your account at ${site} was removed ${when}.`,
      reactNow,
    ],
    de: ({ site, when, reactNow }) => [
      'Ein Passkey wurde entfernt',
      `Ein Passkey Ihres Kontos bei ${site} wurde ${when} entfernt.`,
      reactNow,
    ],
  },
});
