import { sentence } from '@quoin/db/command';
import { portOwner } from '../commands/port-owner.ts';
import { ConfigError } from '../config/config.ts';

/** What a person can do something about, as a sentence, with a hint where there is one; undefined for a bug. */
export function explain(error: Error & { code?: string; port?: number }): string | undefined {
  const { code, port } = error;
  if (code === 'EADDRINUSE' && port !== undefined)
    return `port ${port} is taken by ${portOwner(port) ?? 'another process'}\nhint: stop that one, or set PORT to another`;
  if (code === 'EACCES' && port !== undefined)
    return `port ${port} may not be opened by this user\nhint: set PORT to 1024 or above, and have a proxy listen there`;
  if (code === 'EADDRNOTAVAIL')
    return `HOST is no address of this machine\nhint: 127.0.0.1 is for this machine alone, 0.0.0.0 for all networks`;
  return error instanceof ConfigError ? error.message : sentence(error);
}
