import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const listening = '0A';

/**
 * Which process of this machine listens on a TCP port, as far as that can be seen: on Linux, from /proc, and for processes of one's own (all of them for root).
 *
 * @returns such as `node server.js (process 4711)`
 */
export function portOwner(port: number): string | undefined {
  try {
    const sockets = new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) => listeners(table, port)));
    const process = readdirSync('/proc').find((pid) => /^\d+$/.test(pid) && hasOneOf(pid, sockets));
    if (!process) return undefined;
    const command = readFileSync(`/proc/${process}/cmdline`, 'utf8').split('\0').filter(Boolean).join(' ');
    return `${command.length > 80 ? `${command.slice(0, 79)}…` : command} (process ${process})`;
  } catch {
    return undefined; // no /proc, as on other systems, or none that may be read
  }
}

/** The sockets that listen on the port, as /proc names them: proc(5), "local_address" and "inode". */
function listeners(table: string, port: number): string[] {
  const rows = readFileSync(table, 'utf8').trim().split('\n').slice(1);
  return rows.flatMap((row) => {
    const [, local = '', , state, , , , , , inode] = row.trim().split(/\s+/);
    const isIt = state === listening && Number.parseInt(local.split(':')[1] ?? '', 16) === port;
    return isIt ? [`socket:[${inode}]`] : [];
  });
}

function hasOneOf(pid: string, sockets: Set<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((file) => sockets.has(readlinkSync(`/proc/${pid}/fd/${file}`)));
  } catch {
    return false; // gone, or somebody else's
  }
}
