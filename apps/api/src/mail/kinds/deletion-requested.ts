import { Type } from 'typebox';
import { defineMail, noticeSeconds } from '../kind.ts';

export const deletionRequestedMail = defineMail({
  name: 'deletion_requested',
  lifetimeSeconds: noticeSeconds,
  // Null: without a pause.
  data: Type.Object({ due_on: Type.Union([Type.String(), Type.Null()]) }),
  example: { due_on: '2026-12-15' },
  texts: {
    en: ({ site, when, data: { due_on }, resetNow }) =>
      due_on === null
        ? [
            'Your account is being deleted',
            `The deletion of your account at ${site} was requested ${when}. The account and all its data are being deleted now.`,
            'If it was not you, contact the operator of the site now.',
          ]
        : [
            'Your account will be deleted',
            `The deletion of your account at ${site} was requested ${when}. The account and all its data will be deleted on ${due_on}.`,
            'To keep the account, sign in before that day.',
            resetNow,
          ],
    de: ({ site, when, data: { due_on }, resetNow }) =>
      due_on === null
        ? [
            'Ihr Konto wird jetzt gelöscht',
            `Die Löschung Ihres Kontos bei ${site} wurde ${when} beantragt. Das Konto wird jetzt mit allen Daten gelöscht.`,
            'Waren Sie es nicht, wenden Sie sich jetzt an den Betreiber der Seite.',
          ]
        : [
            'Ihr Konto wird gelöscht',
            `Die Löschung Ihres Kontos bei ${site} wurde ${when} beantragt. Das Konto wird am ${due_on} mit allen Daten gelöscht.`,
            'Möchten Sie das Konto behalten, melden Sie sich vor diesem Tag an.',
            resetNow,
          ],
  },
});
