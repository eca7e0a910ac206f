import { defineMail, noticeSeconds } from '../kind.ts';

export const totpAddedMail = defineMail({
  name: 'totp_added',
  lifetimeSeconds: noticeSeconds,

  texts: {
    en: ({ site, at, ipAddress, reactNow }) => [
      'An authenticator app was added',
      `Since ${at}, signing in to your account at ${site} needs a code of an authenticator app${ipAddress ? ` (added from ${ipAddress})` : ''}.`,
      reactNow,
    ],
    de: ({ site, at, ipAddress, reactNow }) => [
      'Eine Authenticator-App wurde hinzugefügt',
      `Seit ${at} braucht die Anmeldung bei Ihrem Konto bei ${site} einen Code einer Authenticator-App${ipAddress ? ` (hinzugefügt von ${ipAddress} aus)` : ''}.`,
      reactNow,
    ],
  },
});
