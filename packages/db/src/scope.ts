/** Who asks, and whose rows. Every service function that touches rows of an owner takes it first. */
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
