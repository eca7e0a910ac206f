import { defineMail } from '../kind.ts';

export const setPasswordMail = defineMail({
  name: 'set_password',
  lifetimeSeconds: 3_600,

  secret: 'reset_password',
  page: 'reset-password',
  isRequested: true,
  texts: {
    en: ({ site, url }) => [
      'Choose a password',
      `You verified this address for an account at ${site}. The password, sign-in providers and API keys from before no longer work, because somebody else may have set them.`,
      'Choose a new password. The link works once, for ten minutes. After that, choose "Forgotten password" on the sign-in page:',
      { label: 'Choose a password', url },
    ],
    de: ({ site, url }) => [
      'Wählen Sie ein Passwort',
      `Sie haben diese Adresse für ein Konto bei ${site} bestätigt. Passwort, Anmeldedienste und API-Schlüssel von vorher gelten nicht mehr, weil jemand anderes sie eingerichtet haben kann.`,
      'Wählen Sie ein neues Passwort. Der Link gilt einmal und zehn Minuten lang. Danach hilft „Passwort vergessen“ auf der Anmeldeseite:',
      { label: 'Passwort wählen', url },
    ],
  },
});
