import type { Alive } from '@quoin/db';
import type { Config } from '../config/config.ts';

/** Returns the bounds within which a session is alive now. */
export const aliveAt = (now: Date, config: Pick<Config, 'sessionInactivitySeconds'>): Alive => ({
  now,
  idleSince: new Date(now.getTime() - config.sessionInactivitySeconds * 1000),
});
