/** The actor of a unit of work and the owner of its rows. First parameter of every service function that accesses rows of an owner. */
export interface Scope<Owner extends UserOwner | OrganizationOwner = UserOwner> {
  /** The caller. Audit events name the actor, even if an admin works on the rows of another user. */
  readonly actor: Actor;
  /** Whose rows a unit of work sees. */
  readonly owner: Owner;
  /** Whether the actor is an admin. Counts for rows of users only: in an organization, only its members do anything. */
  readonly isAdmin: boolean;
  /** Set if the request has an Idempotency-Key. */
  readonly idempotency?: Idempotency | undefined;
}

export interface UserOwner {
  readonly userId: string;
  readonly organizationId?: undefined;
}

export interface OrganizationOwner {
  readonly organizationId: string;
  readonly userId?: undefined;
}

/** The scope of a unit of work for an organization. The database shows nothing unless the actor is a member of it. */
export type OrganizationScope = Scope<OrganizationOwner>;

/** The scope of a unit of work for a user or for an organization. */
export type OwnerScope = Scope | OrganizationScope;

/** A request whose effect happens once, however often it is sent. The transaction with its effect also stores its answer. */
export interface Idempotency {
  readonly userId: string;
  readonly keyHash: Uint8Array;
  /** Tells requests apart that have the same key. */
  readonly fingerprint: Uint8Array;
  /** Returns the answer for the result of the transaction. */
  readonly answerOf: (result: unknown) => Answer;
  /** Whether a transaction has stored the answer. */
  isStored: boolean;
}

/** An HTTP response. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string | null;
}

/** Who makes a request, and with what. */
export type Actor = SessionActor | ApiKeyActor | JobActor;

export interface SessionActor {
  readonly via: 'session';
  readonly userId: string;
  readonly sessionId: string;
  /** When the caller last proved who they are: at sign-in or later. */
  readonly authenticatedAt: Date;
  /** When the caller proved it again after sign-in. */
  readonly reauthenticatedAt?: Date | undefined;
}

export interface ApiKeyActor {
  readonly via: 'api_key';
  readonly userId: string;
  readonly apiKeyId: string;
  /** What the key may do. */
  readonly scopes: readonly string[];
  /** The organization whose rows it is for; undefined if it is for those of its owner. */
  readonly organizationId?: string | undefined;
}

/** Nobody: a job works with the rows of its user. */
export interface JobActor {
  readonly via: 'job';
  readonly userId: string;
}

/** Returns the caller with their session. Routes without a scope for API keys can rely on it. @throws Error for an API key */
export function requireSession({ actor }: Pick<Scope, 'actor'>): SessionActor {
  if (actor.via !== 'session') throw new Error(`this needs a session, not an actor via ${actor.via}`);
  return actor;
}
