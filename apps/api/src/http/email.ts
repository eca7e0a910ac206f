import { domainToASCII } from 'node:url';

// An email address is compared as it is stored: normalized first, and unique in that form.

const addressLengthMax = 255;
const localLengthMax = 64; // RFC 5321, 4.5.3.1.1

// RFC 5322's atext with the letters of RFC 6531, in parts between single dots; then at least two labels of a host name. Each part of
// the pattern ends at a character that the next one cannot match, so it takes linear time.
const atom = "[\\p{L}\\p{N}\\p{M}!#$%&'*+/=?^_`{|}~-]+";
const label = '[\\p{L}\\p{N}\\p{M}-]{1,63}';
const pattern = new RegExp(`^${atom}(?:\\.${atom})*@(?:${label}\\.)+${label}$`, 'u');

/**
 * Returns the form in which an address is stored and compared: trimmed, NFKC, lower case, and the domain in ASCII (`xn--…`), so that two spellings
 * of one mailbox are one text.
 */
export function normalizeEmail(email: string): string {
  const normalized = email.trim().normalize('NFKC').toLowerCase();
  const at = normalized.lastIndexOf('@') + 1;
  const domain = normalized.slice(at);
  if (at === 0 || /^[\0-\x7f]*$/.test(domain)) return normalized;
  return normalized.slice(0, at) + domainToASCII(domain);
}

/** Whether a text, once it is normalized, is an email address that can be stored. */
export function isEmail(text: string): boolean {
  if (text.length > 4 * addressLengthMax) return false;
  const email = normalizeEmail(text);
  if ([...email].length > addressLengthMax || email.indexOf('@') > localLengthMax) return false;
  return pattern.test(email) && !/@-|-\.|\.-|-$/.test(email.slice(email.indexOf('@')));
}
