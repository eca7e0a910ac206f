import { Type } from 'typebox';
import { defineMail, noticeSeconds } from '../kind.ts';

export const exportReadyMail = defineMail({
  name: 'export_ready',
  lifetimeSeconds: noticeSeconds,
  data: Type.Object({ export_id: Type.String() }),
  example: { export_id: '0199e0f5-7c1e-7b3a-9a53-0f5ce9a1c2d4' },
  page: 'export',
  parameters: ({ export_id }) => ({ id: export_id }),
  texts: {
    en: ({ site, url, resetNow }) => [
      'Your data is ready',
      `The archive of your data at ${site} is complete. Sign in to download it. It stays for a week:`,
      { label: 'Download your data', url },
      `If you did not ask for it, somebody else may use your account. ${resetNow}`,
    ],
    de: ({ site, url, resetNow }) => [
      'Ihre Daten liegen bereit',
      `Das Archiv Ihrer Daten bei ${site} ist fertig. Melden Sie sich an, um es herunterzuladen. Es bleibt eine Woche lang:`,
      { label: 'Daten herunterladen', url },
      `Haben Sie es nicht angefordert, benutzt vielleicht jemand anderes Ihr Konto. ${resetNow}`,
    ],
  },
});
