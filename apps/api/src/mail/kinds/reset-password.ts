import { defineMail } from '../kind.ts';

export const resetPasswordMail = defineMail({
  name: 'reset_password',
  lifetimeSeconds: 3_600,

  secret: 'reset_password',
  page: 'reset-password',
  isRequested: true,
  requestEvent: 'password_reset_requested',
  texts: {
    en: ({ site, someone, url }) => [
      'Reset your password',
      `${someone} asked to reset the password of your account at ${site}.`,
      'If it was you, choose a new password. The link works once, for ten minutes:',
      { label: 'Choose a new password', url },
      'If it was not you, ignore this mail. Your password does not change.',
    ],
    de: ({ site, someone, url }) => [
      'Passwort zurücksetzen',
      `${someone} möchte das Passwort Ihres Kontos bei ${site} zurücksetzen.`,
      'Waren Sie es, wählen Sie ein neues Passwort. Der Link gilt einmal und zehn Minuten lang:',
      { label: 'Neues Passwort wählen', url },
      'Waren Sie es nicht, ist nichts zu tun. Ihr Passwort bleibt, wie es ist.',
    ],
  },
});
