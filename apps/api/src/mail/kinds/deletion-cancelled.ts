import { defineMail, noticeSeconds } from '../kind.ts';

export const deletionCancelledMail = defineMail({
  name: 'deletion_cancelled',
  lifetimeSeconds: noticeSeconds,
  texts: {
    en: ({ site, when, resetNow }) => [
      'Your account will not be deleted',
      `Someone signed in to your account at ${site} ${when}. So the requested deletion is cancelled, and the account stays.`,
      resetNow,
    ],
    de: ({ site, when, resetNow }) => [
      'Ihr Konto wird nicht gelöscht',
      `Jemand hat sich ${when} bei Ihrem Konto bei ${site} angemeldet. Die beantragte Löschung ist damit aufgehoben, das Konto bleibt.`,
      resetNow,
    ],
  },
});
