import { createHmac, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { hmacSha256 } from './hmac.ts';

test('an HMAC is that of the RFC', () => {
  // RFC 4231, 4.2 and 4.3.
  expect(hmacSha256(Buffer.alloc(20, 0x0b))(Buffer.from('Hi There')).toString('hex')).toBe(
    'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
  );
  expect(hmacSha256(Buffer.from('Jefe'))(Buffer.from('what do ya want for nothing?')).toString('hex')).toBe(
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
});

test('and that of Node, for any key and message', () => {
  for (let n = 0; n < 200; n++) {
    const [key, message] = [randomBytes(n % 65), randomBytes(n * 3)];
    expect(hmacSha256(key)(message)).toEqual(createHmac('sha256', key).update(message).digest());
  }
  expect(() => hmacSha256(randomBytes(65))).toThrow('longer than a block');
});
