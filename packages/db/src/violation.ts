const integrityConstraintViolation = '23';

/**
 * The name of the constraint or unique index that a statement violated, such as `idx_users_email`; undefined where the error
 * is something else. Goes by the SQLSTATE, since the embedded database's errors are of another class than the server's.
 */
export function violatedConstraint(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, constraint } = error as Error & { code?: unknown; constraint?: unknown };
  const isViolation = typeof code === 'string' && code.startsWith(integrityConstraintViolation);
  return isViolation && typeof constraint === 'string' ? constraint : undefined;
}
