import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

const idBytes = 16;
const random = Buffer.alloc(256 * idBytes);
let used = random.length;
let lastMs = 0;
let sequence = 0;

/**
 * Creates the id of a row: a UUID of version 7 (RFC 9562), later than all that this process created before.
 *
 * Draws random bytes for many ids at a time: `uuid` draws them for each, which takes 7 µs, 5 % of the time of creating a task.
 */
export function newId(): string {
  if (used === random.length) {
    randomFillSync(random);
    used = 0;
  }
  const bytes = random.subarray(used, used + idBytes);
  used += idBytes;
  const now = Date.now();
  // The sequence has 32 bits and starts in the lower half, so it cannot overflow before the clock advances.
  sequence = now > lastMs ? bytes.readUInt32BE(6) >>> 1 : sequence + 1;
  lastMs = Math.max(lastMs, now);
  return v7({ msecs: lastMs, seq: sequence, random: bytes });
}
