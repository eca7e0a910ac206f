export interface Turns {
  take<T>(work: () => Promise<T>): Promise<T>;
  readonly running: number;
  readonly waiting: number;
}

/** Runs at most `atOnce` of what it is given, lets `waitingMax` more wait in order, and throws what `refuse` makes for the rest. */
export function createTurns(atOnce: number, waitingMax: number, refuse: () => Error): Turns {
  let running = 0;
  const queue: (() => void)[] = [];
  const take = async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= atOnce) {
      if (queue.length >= waitingMax) throw refuse();
      await new Promise<void>((resolve) => queue.push(resolve));
    } else {
      running += 1;
    }
    try {
      return await work();
    } finally {
      const next = queue.shift();
      if (next) next();
      else running -= 1;
    }
  };
  return {
    take,
    get running() {
      return running;
    },
    get waiting() {
      return queue.length;
    },
  };
}
