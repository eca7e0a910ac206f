import type { MailKind } from '@quoin/db';

// The texts of all mails, by language. They contain no text that a user can choose, such as a name: anyone can register the address of a stranger, and would choose the
// words that the server sends there.

/** What a text can mention. */
export interface Facts {
  /** Host of the front end. */
  site: string;
  /** Date and time of the cause, in UTC. */
  at: string;
  /** Address of the client that caused it. */
  ipAddress: string | null;
  /** Page that the mail leads to; empty if it leads nowhere. */
  url: string;
  /** Code to sign in; empty in other mails. */
  code: string;
}

export type Part = string | { label: string; url: string };
type Texts = (facts: Facts) => Record<MailKind, [subject: string, ...parts: Part[]]>;

const english: Texts = ({ site, at, ipAddress, url, code }) => {
  const when = `on ${at}${ipAddress ? ` from ${ipAddress}` : ''}`;
  const someone = `Someone${ipAddress ? ` (${ipAddress})` : ''}`;
  const resetNow = 'If it was not you, reset your password now: choose "Forgotten password" on the sign-in page.';
  const reactNow = 'If it was not you, reset your password, and contact the operator of the site now.';
  return {
    reset_password: [
      'Reset your password',
      `${someone} asked to reset the password of your account at ${site}.`,
      'If it was you, choose a new password. The link works once, for ten minutes:',
      { label: 'Choose a new password', url },
      'If it was not you, ignore this mail. Your password does not change.',
    ],
    set_password: [
      'Choose a password',
      `You verified this address for an account at ${site}. The password, sign-in providers and API keys from before no longer work, because somebody else may have set them.`,
      'Choose a new password. The link works once, for ten minutes. After that, choose "Forgotten password" on the sign-in page:',
      { label: 'Choose a password', url },
    ],
    verify_email: [
      'Verify your email address',
      `Someone registered this address for an account at ${site}.`,
      'If it was you, verify the address. The link works once, for one day:',
      { label: 'Verify this address', url },
      'If it was not you, ignore this mail. The address will not be verified.',
    ],
    sign_in_code: [
      `Your code to sign in: ${code}`,
      `${someone} wants to sign in to your account at ${site}.`,
      `If it was you, type this code where you asked for it. It works once, for ten minutes: ${code}`,
      { label: 'Open the sign-in page', url },
      'If it was not you, ignore this mail, and do not share the code.',
    ],
    password_changed: [
      'Your password was changed',
      `The password of your account at ${site} was changed ${when}. API keys and linked sign-in providers still work.`,
      `${resetNow} Then check your API keys and sign-in providers.`,
    ],
    email_changed: [
      'Your email address was changed',
      `The email address of your account at ${site} was changed ${when}.`,
      'We will not send more mail to this address. If it was not you, contact the operator of the site now.',
    ],
    username_changed: [
      'Your username was changed',
      `The username of your account at ${site} was changed ${when}.`,
      resetNow,
    ],
    new_sign_in: [
      'New sign-in to your account',
      `Someone signed in to your account at ${site} ${when}, from a network or with a browser that you have not used before.`,
      `If it was you, ignore this mail. ${resetNow}`,
    ],
    totp_added: [
      'An authenticator app was added',
      `Since ${at}, signing in to your account at ${site} needs a code of an authenticator app${ipAddress ? ` (added from ${ipAddress})` : ''}.`,
      reactNow,
    ],
    totp_removed: [
      'Your authenticator app was removed',
      `The authenticator app of your account at ${site} was removed ${when}.`,
      reactNow,
    ],
    recovery_codes_replaced: [
      'You have new recovery codes',
      `The recovery codes of your account at ${site} were replaced ${when}. The old ones no longer work.`,
      reactNow,
    ],
    passkey_added: [
      'A passkey was added',
      `A passkey was added to your account at ${site} ${when}. Signing in with a password now needs a second factor. Keep recovery codes for the day when you have no passkey at hand.`,
      reactNow,
    ],
    passkey_removed: ['A passkey was removed', `A passkey of your account at ${site} was removed ${when}.`, reactNow],
    factors_removed: [
      'Your second factors were removed',
      `An admin removed the second factors and passkeys of your account at ${site} on ${at}, and ended its sessions. Signing in needs no second factor now.`,
      'Add a second factor again after you have signed in. If you did not ask for this, contact the operator of the site now.',
    ],
    identity_linked: [
      'A way to sign in was added',
      `A sign-in provider was linked to your account at ${site} ${when}. Your account there now signs you in here.`,
      reactNow,
    ],
    identity_unlinked: [
      'A way to sign in was removed',
      `A sign-in provider was unlinked from your account at ${site} ${when}.`,
      reactNow,
    ],
    api_key_created: [
      'An API key was created',
      `An API key of your account at ${site} was created ${when}. With it, a program can use your account within the limits of the key.`,
      'If it was not you, revoke the key, reset your password, and contact the operator of the site now.',
    ],
    api_key_leaked: [
      'An API key was revoked',
      `Someone reported an API key of your account at ${site} as leaked ${when}, so it was revoked. Programs that used it have stopped working. Your list of API keys shows which ones are left.`,
      'Give these programs a new key, and find out where the old one was published.',
    ],
    api_key_expires: [
      'An API key expires soon',
      `An API key of your account at ${site} expires within a week. Programs that use it will stop working.`,
      'Create a new key, and give it to these programs.',
    ],
  };
};

const german: Texts = ({ site, at, ipAddress, url, code }) => {
  const when = `am ${at}${ipAddress ? ` von ${ipAddress} aus` : ''}`;
  const someone = `Jemand${ipAddress ? ` (${ipAddress})` : ''}`;
  const resetNow =
    'Waren Sie es nicht, setzen Sie jetzt Ihr Passwort zurück: Wählen Sie auf der Anmeldeseite „Passwort vergessen“.';
  const reactNow =
    'Waren Sie es nicht, setzen Sie Ihr Passwort zurück, und wenden Sie sich jetzt an den Betreiber der Seite.';
  return {
    reset_password: [
      'Passwort zurücksetzen',
      `${someone} möchte das Passwort Ihres Kontos bei ${site} zurücksetzen.`,
      'Waren Sie es, wählen Sie ein neues Passwort. Der Link gilt einmal und zehn Minuten lang:',
      { label: 'Neues Passwort wählen', url },
      'Waren Sie es nicht, ist nichts zu tun. Ihr Passwort bleibt, wie es ist.',
    ],
    set_password: [
      'Wählen Sie ein Passwort',
      `Sie haben diese Adresse für ein Konto bei ${site} bestätigt. Passwort, Anmeldedienste und API-Schlüssel von vorher gelten nicht mehr, weil jemand anderes sie eingerichtet haben kann.`,
      'Wählen Sie ein neues Passwort. Der Link gilt einmal und zehn Minuten lang. Danach hilft „Passwort vergessen“ auf der Anmeldeseite:',
      { label: 'Passwort wählen', url },
    ],
    verify_email: [
      'Bestätigen Sie Ihre E-Mail-Adresse',
      `Jemand hat diese Adresse für ein Konto bei ${site} angegeben.`,
      'Waren Sie es, bestätigen Sie die Adresse. Der Link gilt einmal und einen Tag lang:',
      { label: 'Adresse bestätigen', url },
      'Waren Sie es nicht, ist nichts zu tun. Die Adresse wird nicht bestätigt.',
    ],
    sign_in_code: [
      `Ihr Code zum Anmelden: ${code}`,
      `${someone} möchte sich bei Ihrem Konto bei ${site} anmelden.`,
      `Waren Sie es, geben Sie diesen Code dort ein, wo Sie ihn angefordert haben. Er gilt einmal und zehn Minuten lang: ${code}`,
      { label: 'Zur Anmeldeseite', url },
      'Waren Sie es nicht, ist nichts zu tun. Geben Sie den Code niemandem.',
    ],
    password_changed: [
      'Ihr Passwort wurde geändert',
      `Das Passwort Ihres Kontos bei ${site} wurde ${when} geändert. API-Schlüssel und verknüpfte Anmeldedienste gelten weiter.`,
      `${resetNow} Prüfen Sie danach Ihre API-Schlüssel und Anmeldedienste.`,
    ],
    email_changed: [
      'Ihre E-Mail-Adresse wurde geändert',
      `Die E-Mail-Adresse Ihres Kontos bei ${site} wurde ${when} geändert.`,
      'An diese Adresse senden wir nichts mehr. Waren Sie es nicht, wenden Sie sich jetzt an den Betreiber der Seite.',
    ],
    username_changed: [
      'Ihr Benutzername wurde geändert',
      `Der Benutzername Ihres Kontos bei ${site} wurde ${when} geändert.`,
      resetNow,
    ],
    new_sign_in: [
      'Neue Anmeldung bei Ihrem Konto',
      `Jemand hat sich ${when} bei Ihrem Konto bei ${site} angemeldet, aus einem Netz oder mit einem Browser, die Sie bisher nicht benutzt haben.`,
      `Waren Sie es, ist nichts zu tun. ${resetNow}`,
    ],
    totp_added: [
      'Eine Authenticator-App wurde hinzugefügt',
      `Seit ${at} braucht die Anmeldung bei Ihrem Konto bei ${site} einen Code einer Authenticator-App${ipAddress ? ` (hinzugefügt von ${ipAddress} aus)` : ''}.`,
      reactNow,
    ],
    totp_removed: [
      'Ihre Authenticator-App wurde entfernt',
      `Die Authenticator-App Ihres Kontos bei ${site} wurde ${when} entfernt.`,
      reactNow,
    ],
    recovery_codes_replaced: [
      'Sie haben neue Wiederherstellungscodes',
      `Die Wiederherstellungscodes Ihres Kontos bei ${site} wurden ${when} ersetzt. Die alten gelten nicht mehr.`,
      reactNow,
    ],
    passkey_added: [
      'Ein Passkey wurde hinzugefügt',
      `Zu Ihrem Konto bei ${site} wurde ${when} ein Passkey hinzugefügt. Die Anmeldung mit Passwort braucht nun einen zweiten Faktor. Bewahren Sie Wiederherstellungscodes auf, für den Tag, an dem kein Passkey zur Hand ist.`,
      reactNow,
    ],
    passkey_removed: [
      'Ein Passkey wurde entfernt',
      `Ein Passkey Ihres Kontos bei ${site} wurde ${when} entfernt.`,
      reactNow,
    ],
    factors_removed: [
      'Ihre zweiten Faktoren wurden entfernt',
      `Am ${at} wurden die zweiten Faktoren und Passkeys Ihres Kontos bei ${site} von der Verwaltung entfernt und alle Sitzungen beendet. Die Anmeldung braucht nun keinen zweiten Faktor.`,
      'Richten Sie nach dem Anmelden wieder einen zweiten Faktor ein. Haben Sie das nicht gewünscht, wenden Sie sich jetzt an den Betreiber der Seite.',
    ],
    identity_linked: [
      'Eine Anmeldung wurde hinzugefügt',
      `Mit Ihrem Konto bei ${site} wurde ${when} ein Anmeldedienst verknüpft. Das Konto dort meldet Sie nun auch hier an.`,
      reactNow,
    ],
    identity_unlinked: [
      'Eine Anmeldung wurde entfernt',
      `Von Ihrem Konto bei ${site} wurde ${when} ein Anmeldedienst getrennt.`,
      reactNow,
    ],
    api_key_created: [
      'Ein API-Schlüssel wurde erstellt',
      `Für Ihr Konto bei ${site} wurde ${when} ein API-Schlüssel erstellt. Mit ihm kann ein Programm Ihr Konto benutzen, in den Grenzen des Schlüssels.`,
      'Waren Sie es nicht, widerrufen Sie den Schlüssel, setzen Sie Ihr Passwort zurück, und wenden Sie sich jetzt an den Betreiber der Seite.',
    ],
    api_key_leaked: [
      'Ein API-Schlüssel wurde widerrufen',
      `Jemand hat ${when} einen API-Schlüssel Ihres Kontos bei ${site} als veröffentlicht gemeldet. Er wurde widerrufen. Programme, die ihn benutzt haben, funktionieren nicht mehr. Ihre Liste der API-Schlüssel zeigt, welche übrig sind.`,
      'Geben Sie diesen Programmen einen neuen Schlüssel, und stellen Sie fest, wo der alte veröffentlicht wurde.',
    ],
    api_key_expires: [
      'Ein API-Schlüssel läuft bald ab',
      `Ein API-Schlüssel Ihres Kontos bei ${site} läuft in weniger als einer Woche ab. Programme, die ihn benutzen, funktionieren dann nicht mehr.`,
      'Erstellen Sie einen neuen Schlüssel, und geben Sie ihn diesen Programmen.',
    ],
  };
};

/** By language; a locale such as `de-CH` uses `de`. Mails in other locales are in English. */
export const textsByLanguage: Record<string, Texts> = { en: english, de: german };
