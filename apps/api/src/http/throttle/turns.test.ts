import { expect, test } from 'vitest';
import { createTurns } from './turns.ts';

/** Creates jobs that the test ends, and records the order in which they began. */
function start(atOnce = 1, waitingMax = 100) {
  const turns = createTurns(atOnce, waitingMax, () => new Error('refused'));
  const begun: string[] = [];
  const running: (() => void)[] = [];
  const ask = (name: string, address: string, account = name) => {
    const work = () =>
      new Promise<void>((resolve) => {
        begun.push(name);
        running.push(resolve);
      });
    return turns.take(work, { address, account });
  };
  const finishAll = async () => {
    while (turns.running > 0) {
      running.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { turns, begun, ask, finishAll };
}

test('an address with fifty requests delays another address by one turn', async () => {
  const { begun, ask, finishAll } = start();
  const all = Array.from({ length: 50 }, (_, n) => ask(`flood ${n}`, 'attacker', 'one'));
  all.push(ask('bystander', 'elsewhere'));
  await finishAll();
  await Promise.all(all);
  expect(begun.indexOf('bystander')).toBe(2);
  expect(begun).toHaveLength(51);
});

test('sixteen accounts of one address delay another account by sixteen turns', async () => {
  const { begun, ask, finishAll } = start(1, 200);
  const all = Array.from({ length: 160 }, (_, n) => ask(`flood ${n}`, 'same', `account ${n % 16}`));
  all.push(ask('bystander', 'same'));
  await finishAll();
  await Promise.allSettled(all);
  expect(begun.indexOf('bystander')).toBeLessThanOrEqual(18);
});

test('sixteen accounts from many addresses delay another account by sixteen turns', async () => {
  const { begun, ask, finishAll } = start(1, 200);
  const all = Array.from({ length: 160 }, (_, n) => ask(`flood ${n}`, `address ${n}`, `account ${n % 16}`));
  all.push(ask('bystander', 'elsewhere'));
  await finishAll();
  await Promise.all(all);
  expect(begun.indexOf('bystander')).toBeLessThanOrEqual(17);
  expect(begun).toHaveLength(161);
});

test('the account whose last turn is longest ago goes first', async () => {
  const { begun, ask, finishAll } = start(1, 200);
  const first = [ask('holder', 'h'), ask('bystander', 'elsewhere')];
  await finishAll();
  const flood = Array.from({ length: 48 }, (_, n) => ask(`flood ${n}`, `address ${n}`, `account ${n % 16}`));
  const again = ask('bystander', 'elsewhere');
  await finishAll();
  await Promise.all([...first, ...flood, again]);
  expect(begun.lastIndexOf('bystander')).toBeLessThanOrEqual(4);
});

test('any number of new accounts from one address delays another address by one turn', async () => {
  const { begun, ask, finishAll } = start(1, 128);
  const flood = Array.from({ length: 200 }, (_, n) => ask(`flood ${n}`, 'attacker', `name ${n}`));
  const bystander = ask('bystander', 'elsewhere');
  const results = Promise.allSettled([...flood, bystander]);
  await finishAll();
  expect((await results).at(-1)?.status).toBe('fulfilled');
  expect(begun.indexOf('bystander')).toBeLessThanOrEqual(2);
});

test('known names from one address delay a new account elsewhere by one turn', async () => {
  const { begun, ask, finishAll } = start(1, 128);
  const flood = () => Array.from({ length: 100 }, (_, n) => ask(`flood ${n}`, 'attacker', `name ${n}`));
  const first = flood();
  await finishAll();
  const second = flood();
  const bystander = ask('bystander', 'elsewhere');
  await finishAll();
  await Promise.all([...first, ...second, bystander]);
  expect(begun.indexOf('bystander')).toBeLessThanOrEqual(103);
});

test('turns run a bounded number of tasks and count the waiting ones', async () => {
  const { turns, ask, finishAll } = start(2);
  const all = [1, 2, 3, 4, 5].map((n) => ask(`${n}`, 'a'));
  expect([turns.running, turns.waiting]).toEqual([2, 3]);
  await finishAll();
  await Promise.all(all);
  expect([turns.running, turns.waiting]).toEqual([0, 0]);
});

test('a full queue drops the last of the longest queue, not the newcomer', async () => {
  const { begun, ask, finishAll } = start(1, 10);
  const flood = Array.from({ length: 11 }, (_, n) => ask(`flood ${n}`, 'attacker', 'one'));
  const bystander = ask('bystander', 'elsewhere');
  const results = Promise.allSettled([...flood, bystander]);
  await finishAll();
  const outcomes = (await results).map(({ status }) => status);
  expect(outcomes.filter((status) => status === 'rejected')).toHaveLength(1);
  expect(outcomes.at(-1)).toBe('fulfilled');
  expect(begun).not.toContain('flood 10');
});

test('turns continue after a failed task', async () => {
  const turns = createTurns(1, 10, () => new Error('refused'));
  const failing = turns.take(() => Promise.reject(new Error('broken')));
  const next = turns.take(async () => 'done');
  await expect(failing).rejects.toThrow('broken');
  expect(await next).toBe('done');
});
