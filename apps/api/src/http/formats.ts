import { isIP } from 'node:net';
import { isEmail } from './email.ts';

// The string formats that schemas may name. Each takes time linear in the length of the text.

/** Whether a text has the format of this name. */
export const formats: Record<string, (text: string) => boolean> = {
  email: isEmail,
  uuid: (text) => /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text),
  'date-time': isDateTime,
  date: isDate,
  uri: isHttpUrl,
  int64: (text) => /^-?\d{1,19}$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text),
  // PostgreSQL's inet knows no zones (fe80::1%eth0).
  ip: (text) => isIP(text) > 0 && !text.includes('%'),
  bcp47: isLanguageTag,
  timezone: isTimeZone,
};

function isLanguageTag(text: string): boolean {
  try {
    return Intl.getCanonicalLocales(text).length === 1;
  } catch {
    return false;
  }
}

function isTimeZone(text: string): boolean {
  if (!/^[A-Za-z]/.test(text)) return false; // "+01:00" is an offset without daylight saving time
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: text }));
  } catch {
    return false;
  }
}

const [firstMoment, lastMoment] = [Date.parse('0001-01-01T00:00:00Z'), Date.parse('9999-12-31T23:59:59Z')];

/** Whether a text is a day of the calendar, such as 2026-11-20. */
function isDate(text: string): boolean {
  return (
    /^\d{4}-\d\d-\d\d$/.test(text) &&
    text >= '0001-01-01' &&
    new Date(Date.parse(text) || 0).toISOString().startsWith(text)
  );
}

/** Whether a text is an absolute `http` or `https` URL. */
function isHttpUrl(text: string): boolean {
  return /^https?:\/\/[^\s\p{Cc}]+$/iu.test(text) && URL.canParse(text);
}

/**
 * Whether a text is an ISO 8601 date and time with its offset from UTC that PostgreSQL accepts too: PostgreSQL refuses 30 February, the year 0
 * and an offset of 16 hours.
 */
function isDateTime(text: string): boolean {
  const parts = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-](\d\d):[0-5]\d)$/i.exec(text);
  if (!parts) return false;
  const [, date = '', offsetHours = '0'] = parts;
  const isDay = new Date(Date.parse(date) || 0).toISOString().startsWith(date);
  const time = Date.parse(text);
  return isDay && Number(offsetHours) < 16 && time >= firstMoment && time < lastMoment;
}
