import { readFileSync } from 'node:fs';

// common-passwords.txt: the 10,000 most common passwords that are long enough to be chosen here at all (8 characters), in lower case,
// sorted. Taken by rank from the list of leaked passwords in @zxcvbn-ts/language-common 4.1.3 (MIT).

const passwords = new Set(readFileSync(new URL('./common-passwords.txt', import.meta.url), 'utf8').split('\n'));

/** Whether a password, normalized and in lower case, is one that an attacker tries first. */
export const isCommonPassword = (password: string): boolean => passwords.has(password);
