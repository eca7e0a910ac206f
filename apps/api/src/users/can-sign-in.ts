import type { User } from '@quoin/db';

/** Whether the account is active and belongs to a person. Service accounts use API keys only. */
export const canSignIn = (user: User | undefined): user is User => user?.kind === 'person' && user.is_active;
