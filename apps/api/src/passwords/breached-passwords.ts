import { createHash } from 'node:crypto';

// A range service, as Have I Been Pwned's (https://haveibeenpwned.com/API/v3#SearchingPwnedPasswordsByRange): it is told the first five
// hex digits of a password's SHA-1, and answers with the rest of every breached one that begins so. It learns nothing else, and with the
// padding not even from the length of its answer.

const prefixLength = 5;
/** Somebody waits for the answer. */
const answerMsMax = 2_000;

/** Whether a password is among those that were stolen somewhere. Where the service cannot tell, it counts as not: `warn` hears of it. */
export function createBreachCheck(url: string, warn: (error: unknown) => void) {
  return async (password: string): Promise<boolean> => {
    const hash = createHash('sha1').update(password).digest('hex').toUpperCase();
    try {
      const response = await fetch(`${url.replace(/\/+$/, '')}/${hash.slice(0, prefixLength)}`, {
        headers: { 'add-padding': 'true', 'user-agent': 'quoin' },
        redirect: 'error',
        signal: AbortSignal.timeout(answerMsMax),
      });
      if (!response.ok) throw new Error(`the service answered ${response.status}`);
      const lines = (await response.text()).toUpperCase().split(/\r?\n/);
      // What is there only as padding has a count of 0.
      return lines.some((line) => line.startsWith(`${hash.slice(prefixLength)}:`) && !/:0+\s*$/.test(line));
    } catch (error) {
      warn(error);
      return false;
    }
  };
}

export type BreachCheck = ReturnType<typeof createBreachCheck>;
