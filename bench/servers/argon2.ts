import { hash, verify } from '@node-rs/argon2';

// Prints the rate of bare password verification, with Quoin's parameters and concurrency.

const [, , atOnce = '1', seconds = '5'] = process.argv;
const password = 'correct horse battery';
const known = await hash(password, { memoryCost: 19_456, timeCost: 2, parallelism: 1 });

const end = performance.now() + Number(seconds) * 1000;
let verified = 0;
const one = async () => {
  while (performance.now() < end) {
    await verify(known, password);
    verified += 1;
  }
};
const start = performance.now();
await Promise.all(Array.from({ length: Number(atOnce) }, one));
process.stdout.write(`${(verified / (performance.now() - start)) * 1000}\n`);
