/** Who is asking: the first argument of everything that touches what belongs to a user. */
export interface Scope {
  readonly userId: string;
  /** The session that the request was made with. */
  readonly sessionId: string;
  readonly isAdmin: boolean;
  /** When the session began; undefined outside of requests. */
  readonly authenticatedAt?: Date;
}
