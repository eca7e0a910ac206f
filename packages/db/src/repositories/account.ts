import type { OwnerContext } from './context.ts';
import { type UserChanges, users } from './users.ts';
import type { Versions } from './version.ts';

/** The account of the owner. */
export const account = ({ scope, ...context }: OwnerContext) => {
  const all = users(context);
  const { userId } = scope.owner;
  return {
    find: () => all.find(userId),
    /** Returns the account and locks its row until the transaction ends. */
    lock: () => all.lock(userId),
    update: (changes: UserChanges, versions?: Versions) => all.update(userId, changes, versions),
  };
};
