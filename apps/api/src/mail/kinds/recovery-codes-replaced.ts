import { defineMail, noticeSeconds } from '../kind.ts';

export const recoveryCodesReplacedMail = defineMail({
  name: 'recovery_codes_replaced',
  lifetimeSeconds: noticeSeconds,

  texts: {
    en: ({ site, when, reactNow }) => [
      'You have new recovery codes',
      `The recovery codes of your account at ${site} were replaced ${when}. The old ones no longer work.`,
      reactNow,
    ],
    de: ({ site, when, reactNow }) => [
      'Sie haben neue Wiederherstellungscodes',
      `Die Wiederherstellungscodes Ihres Kontos bei ${site} wurden ${when} ersetzt. Die alten gelten nicht mehr.`,
      reactNow,
    ],
  },
});
