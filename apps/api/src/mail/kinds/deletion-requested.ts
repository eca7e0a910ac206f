import { Type } from 'typebox';
import { defineMail, noticeSeconds } from '../kind.ts';

export const deletionRequestedMail = defineMail({
  name: 'deletion_requested',
  lifetimeSeconds: noticeSeconds,
  data: Type.Object({ due_on: Type.String() }),
  example: { due_on: '2026-12-15' },
  texts: {
    en: ({ site, when, data, resetNow }) => [
      'Your account will be deleted',
      `The deletion of your account at ${site} was requested ${when}. The account and all its data will be deleted on ${data.due_on}.`,
      'To keep the account, sign in before that day.',
      resetNow,
    ],
    de: ({ site, when, data, resetNow }) => [
      'Ihr Konto wird gelöscht',
      `Die Löschung Ihres Kontos bei ${site} wurde ${when} beantragt. Das Konto wird am ${data.due_on} mit allen Daten gelöscht.`,
      'Möchten Sie das Konto behalten, melden Sie sich vor diesem Tag an.',
      resetNow,
    ],
  },
});
