import { createHash } from 'node:crypto';

// Client of a range service such as Have I Been Pwned (https://haveibeenpwned.com/API/v3#SearchingPwnedPasswordsByRange). The service gets the first five hex
// digits of a password's SHA-1 and returns the rest of all breached ones with that prefix. With padding, not even the length of its response leaks more.

const prefixLength = 5;
/** Short, because a request waits for the response. */
const answerMsMax = 2_000;

/** Whether a password has appeared in a data breach. */
export type BreachCheck = (password: string) => Promise<boolean>;

/** If the service fails, a password counts as not breached, and the log gets a warning. Without a URL, no password is checked. */
export function createBreachCheck(url: string, log: { warn: (fields: object, message: string) => void }): BreachCheck {
  if (url === '') return async () => false;
  return async (password) => {
    const hash = createHash('sha1').update(password).digest('hex').toUpperCase();
    try {
      const response = await fetch(`${url.replace(/\/+$/, '')}/${hash.slice(0, prefixLength)}`, {
        headers: { 'add-padding': 'true', 'user-agent': 'quoin' },
        redirect: 'error',
        signal: AbortSignal.timeout(answerMsMax),
      });
      if (!response.ok) throw new Error(`the service answered ${response.status}`);
      const lines = (await response.text()).toUpperCase().split(/\r?\n/);
      // Padding has a count of 0.
      return lines.some((line) => line.startsWith(`${hash.slice(prefixLength)}:`) && !/:0+\s*$/.test(line));
    } catch (err) {
      log.warn({ err }, 'the breach check failed (PASSWORD_BREACH_URL), so a password was accepted without it');
      return false;
    }
  };
}
