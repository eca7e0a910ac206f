import { messageFor } from '@quoin/db/command';
import { ConfigError } from '../config/config.ts';

/** Returns the message for an error that the user can fix, with a hint; undefined for a bug. */
export function explain(error: Error & { code?: string; port?: number }): string | undefined {
  const { code, port } = error;
  if (code === 'EADDRINUSE' && port !== undefined)
    return `port ${port} is in use by another process\nhint: stop that process, or set PORT to another port`;
  if (code === 'EACCES' && port !== undefined)
    return `this user may not open port ${port}\nhint: set PORT to 1024 or above, and put a proxy in front`;
  if (code === 'EADDRNOTAVAIL')
    return 'HOST is not an address of this machine\nhint: use 127.0.0.1 for this machine only, 0.0.0.0 for all networks';
  return error instanceof ConfigError ? error.message : messageFor(error);
}
