import type { MailKind } from '../mail/kind.ts';

/** Mails of the product. */
export const registeredMails: readonly MailKind[] = [
  // Above this line `npm run new -- mail` adds its own.
];
