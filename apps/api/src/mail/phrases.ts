/** Languages of all mails. A locale such as `de-CH` uses `de`; others use `en`. */
export const languages = ['en', 'de'] as const;
export type Language = (typeof languages)[number];

/** Sentences that many mails have in common. */
export interface Phrases {
  /** "on DATE from ADDRESS" */
  when: string;
  /** "Someone (ADDRESS)" */
  someone: string;
  /** What to do if a stranger has the password. */
  resetNow: string;
  /** What to do if a stranger is signed in. */
  reactNow: string;
}

export const phrases: Record<Language, (cause: { at: string; ipAddress: string | null }) => Phrases> = {
  en: ({ at, ipAddress }) => ({
    when: `on ${at}${ipAddress ? ` from ${ipAddress}` : ''}`,
    someone: `Someone${ipAddress ? ` (${ipAddress})` : ''}`,
    resetNow: 'If it was not you, reset your password now: choose "Forgotten password" on the sign-in page.',
    reactNow: 'If it was not you, reset your password, and contact the operator of the site now.',
  }),
  de: ({ at, ipAddress }) => ({
    when: `am ${at}${ipAddress ? ` von ${ipAddress} aus` : ''}`,
    someone: `Jemand${ipAddress ? ` (${ipAddress})` : ''}`,
    resetNow:
      'Waren Sie es nicht, setzen Sie jetzt Ihr Passwort zurück: Wählen Sie auf der Anmeldeseite „Passwort vergessen“.',
    reactNow:
      'Waren Sie es nicht, setzen Sie Ihr Passwort zurück, und wenden Sie sich jetzt an den Betreiber der Seite.',
  }),
};
