import type { Alive } from '@quoin/db';
import type { Config } from '../config/config.ts';

/** What a session has to be to count as alive at this moment: used since then, and neither expired nor revoked. */
export const aliveAt = (now: Date, config: Pick<Config, 'sessionInactivitySeconds'>): Alive => ({
  now,
  idleSince: new Date(now.getTime() - config.sessionInactivitySeconds * 1000),
});
