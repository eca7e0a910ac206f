/** Bytes of a UUID. */
export const idBytes = 16;

/** Returns the UUID whose bytes come first in the buffer. */
export const uuidOf = (bytes: Buffer): string =>
  bytes.toString('hex', 0, idBytes).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');

export const bytesOf = (uuid: string): Buffer => Buffer.from(uuid.replaceAll('-', ''), 'hex');
