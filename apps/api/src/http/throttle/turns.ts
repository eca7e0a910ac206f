// A fair queue: limits how many jobs run at the same time.

/** Account and address that a job is for. */
export interface TurnCaller {
  address: string;
  account: string;
}

export interface Turns {
  take<T>(work: () => Promise<T>, caller?: TurnCaller): Promise<T>;
  readonly running: number;
  readonly waiting: number;
}

const nobody: TurnCaller = { address: '', account: '' };

interface Waiting extends TurnCaller {
  /** Number of the next turn when the caller arrived. */
  cameAt: number;
  /** Number of the next turn when the caller entered the queue. */
  enteredAt: number;
  start: () => void;
  refuse: () => void;
}

/** Maximum number of accounts and addresses whose last turn is remembered. */
const rememberedMax = 20_000;
const accountKey = ({ account }: TurnCaller) => `account ${account}`;
const addressKey = ({ address }: TurnCaller) => `address ${address}`;

/**
 * Runs at most `atOnce` jobs at the same time. At most `waitingMax` wait.
 *
 * The queue holds at most one job per account and one per address. If a client sends a hundred requests, from one
 * address or from a hundred, all but one wait outside of the queue. The caller whose account and address had
 * their last turn longest ago goes first; a new caller counts as if its last turn had been when it entered the queue.
 * A free place goes to the account that had its last turn longest ago, so that accounts of one address take turns.
 *
 * If too many wait, the last job of the account or address with the most waiting jobs is rejected with the error of `refuse`.
 */
export function createTurns(atOnce: number, waitingMax: number, refuse: () => Error): Turns {
  const queue: Waiting[] = [];
  const beside: Waiting[] = [];
  const queued = { accounts: new Set<string>(), addresses: new Set<string>() };
  const servedAt = new Map<string, number>();
  let turn = 0;
  let running = 0;

  const recordTurn = (caller: TurnCaller) => {
    turn += 1;
    for (const key of [accountKey(caller), addressKey(caller)]) {
      servedAt.delete(key); // keeps the map in order of the last turn
      servedAt.set(key, turn);
    }
    while (servedAt.size > rememberedMax) servedAt.delete(servedAt.keys().next().value ?? '');
  };
  const firstBy = (some: readonly Waiting[], lastTurn: (one: Waiting) => number) =>
    some.reduce<Waiting | undefined>(
      (first, one) => (first && lastTurn(first) <= lastTurn(one) ? first : one),
      undefined,
    );
  const lastTurnOfAccount = (one: Waiting) => servedAt.get(accountKey(one)) ?? one.cameAt;
  const lastTurnOfEither = (one: Waiting) => {
    const turns = [servedAt.get(accountKey(one)), servedAt.get(addressKey(one))].filter((at) => at !== undefined);
    return turns.length > 0 ? Math.max(...turns) : one.enteredAt;
  };
  const remove = (from: Waiting[], one: Waiting) => from.splice(from.indexOf(one), 1);

  const hasPlace = ({ account, address }: Waiting) => !queued.accounts.has(account) && !queued.addresses.has(address);
  const enterQueue = (one: Waiting) => {
    one.enteredAt = turn + 1;
    queue.push(one);
    queued.accounts.add(one.account);
    queued.addresses.add(one.address);
  };
  const leaveQueue = (one: Waiting) => {
    remove(queue, one);
    queued.accounts.delete(one.account);
    queued.addresses.delete(one.address);
    const candidate = () => firstBy(beside.filter(hasPlace), lastTurnOfAccount);
    for (let next = candidate(); next; next = candidate()) {
      remove(beside, next);
      enterQueue(next);
    }
  };

  const enqueue = (one: Waiting) => {
    if (hasPlace(one)) enterQueue(one);
    else beside.push(one);
    if (queue.length + beside.length > waitingMax) dropOne();
  };

  const dequeue = (): Waiting | undefined => {
    const next = firstBy(queue, lastTurnOfEither);
    if (!next) return undefined;
    recordTurn(next);
    leaveQueue(next);
    return next;
  };

  const dropOne = () => {
    const all = [...queue, ...beside];
    const byAccount = Map.groupBy(all, ({ account }) => account);
    const byAddress = Map.groupBy(all, ({ address }) => address);
    const times = ({ account, address }: Waiting) =>
      Math.max(byAccount.get(account)?.length ?? 0, byAddress.get(address)?.length ?? 0);
    const dropped = all.reduce((worst, one) => (times(one) >= times(worst) ? one : worst));
    if (beside.includes(dropped)) remove(beside, dropped);
    else leaveQueue(dropped);
    dropped.refuse();
  };

  return {
    take: async (work, caller = nobody) => {
      if (running >= atOnce) {
        await new Promise<void>((start, reject) =>
          enqueue({ ...caller, cameAt: turn + 1, enteredAt: 0, start, refuse: () => reject(refuse()) }),
        );
      } else {
        recordTurn(caller);
        running += 1;
      }
      try {
        return await work();
      } finally {
        const next = dequeue();
        if (next) next.start();
        else running -= 1;
      }
    },
    get running() {
      return running;
    },
    get waiting() {
      return queue.length + beside.length;
    },
  };
}
