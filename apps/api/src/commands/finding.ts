/** The result of a check: ok, a note, or a problem with its solution. */
export interface Finding {
  state: 'ok' | 'note' | 'wrong';
  text: string;
}
export const ok = (text: string): Finding => ({ state: 'ok', text });
export const note = (text: string): Finding => ({ state: 'note', text });
export const wrong = (text: string): Finding => ({ state: 'wrong', text });
/** Runs a check and prints its result. An error is a result too, so that the other checks run. */
export type RunCheck = (subject: string, check: () => Promise<Finding>) => Promise<void>;
