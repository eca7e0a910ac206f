import type { Database, Scope } from '@quoin/db';
import { type Client, noClient, turnCallerOf } from '../http/client.ts';
import { normalizeEmail } from '../http/email.ts';
import { invalid, Problem } from '../http/errors.ts';
import { verifyEmailMail } from '../mail/kinds/verify-email.ts';
import type { Mail } from '../mail/mail.ts';
import type { Passwords } from '../passwords/passwords.ts';
import { actorColumns, mapUniqueViolation } from './account-changes.ts';
import { createReauthentication } from './reauthentication.ts';
import type { NewUser } from './schemas.ts';

interface Dependencies {
  database: Database;
  passwords: Passwords;
  mail: Mail;
  clock: () => Date;
}

/** Creates accounts: for people who register, for admins, and for commands. */
export function createRegistration({ database, passwords, mail, clock }: Dependencies) {
  const { requireRecentProof } = createReauthentication({ database, passwords, clock });

  /**
   * Creates an account and mails its owner to verify the address. A service account has no password and gets no mail.
   *
   * @param scope the admin who creates it; undefined for a registration and for a command
   * @throws Problem `email_taken`, `username_taken`, or `validation_failed` for a weak password
   */
  async function create({ password, email, current_password, ...rest }: NewUser, client: Client, scope?: Scope) {
    const isService = rest.kind === 'service';
    if (isService && password !== undefined)
      throw invalid('/password', 'must not be given: service accounts have none');
    if (!isService && password === undefined) throw invalid('/password', 'is required');
    if (scope && (rest.is_admin || current_password !== undefined))
      await requireRecentProof(scope, current_password, client);
    const newUser = { ...rest, email: normalizeEmail(email) };
    const password_hash = password === undefined ? null : await hashOf(password, newUser, client);
    const created = await mapUniqueViolation(() =>
      database.system(scope).transaction(async (repositories) => {
        const { users, auditEvents } = repositories;
        const user = await users.create({ ...newUser, password_hash });
        const details = { ...(isService && { kind: 'service' }), ...(user.is_admin && { is_admin: true }) };
        const event = { user_id: user.id, details, ...actorColumns(scope), ...client };
        await auditEvents.create({ action: 'account_created', ...event });
        if (!isService) await mail.send(repositories, verifyEmailMail, newUser.email, {}, client);
        return user;
      }),
    );
    mail.wake();
    return created;
  }

  async function hashOf(password: string, newUser: Omit<NewUser, 'password'>, client: Client): Promise<string> {
    await passwords.accept(password, newUser);
    return passwords.hash(password, turnCallerOf(newUser.email, client));
  }

  return {
    create,

    /** Creates an admin unless the account exists. Resolves to whether it created one. */
    ensureAdmin: async ({ email, password }: { email: string; password: string }): Promise<boolean> => {
      if (await database.system().users.findByEmail(normalizeEmail(email))) return false;
      try {
        await create({ email, password, is_admin: true }, noClient);
        return true;
      } catch (error) {
        // Another process has just created it.
        if (error instanceof Problem && error.code === 'email_taken') return false;
        throw error;
      }
    },
  };
}

export type RegistrationService = ReturnType<typeof createRegistration>;
