import { Type } from 'typebox';
import { defineMail, noticeSeconds } from '../kind.ts';

export const orderConfirmationMail = defineMail({
  name: 'order_confirmation',
  lifetimeSeconds: noticeSeconds,
  data: Type.Object({ total: Type.String() }),
  example: { total: '12.50' },
  texts: {
    en: ({ site, data }) => ['Your order', `Thank you for your order of ${data.total} € at ${site}.`],
    de: ({ site, data }) => ['Ihre Bestellung', `Vielen Dank für Ihre Bestellung über ${data.total} € bei ${site}.`],
  },
});
