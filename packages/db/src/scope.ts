/** The actor of a unit of work and the owner of its rows. First parameter of every service function that accesses rows of an owner. */
export interface Scope {
  /** The caller. Audit events name the actor, even if an admin works on the rows of another user. */
  readonly actor: Actor;
  /** The user whose rows a unit of work sees. */
  readonly owner: { readonly userId: string };
  /** Whether the actor is an admin. */
  readonly isAdmin: boolean;
}

export interface Actor {
  readonly userId: string;
  readonly sessionId: string;
  /** When the session began. */
  readonly authenticatedAt: Date;
}
