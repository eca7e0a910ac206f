import { ProblemError } from '@quoin/client';
import { type FormEvent, useEffect, useState } from 'react';
import { api, problemOf } from './session';

interface Provider {
  id: string;
  name: string;
}

interface Properties {
  /** Of a sign-in with a provider. It may need a second factor. */
  problem: Error | undefined;
  onSignedIn: () => void;
}

export function SignIn({ problem: first, onSignedIn }: Properties) {
  const [message, setMessage] = useState(first?.message ?? '');
  const [mfaToken, setMfaToken] = useState(first instanceof ProblemError ? first.mfaToken : undefined);
  const [providers, setProviders] = useState<Provider[]>([]);
  useEffect(() => {
    api.GET('/api/v1/auth/methods').then((methods) => setProviders(methods.providers));
  }, []);

  const attempt = async (work: Promise<void>) => {
    const problem = await problemOf(work);
    if (problem?.mfaToken) setMfaToken(problem.mfaToken);
    setMessage(problem?.message ?? '');
    if (!problem) onSignedIn();
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const field = (name: string) => String(new FormData(event.currentTarget).get(name));
    if (mfaToken) attempt(api.completeMfa({ mfa_token: mfaToken, code: field('code') }));
    else attempt(api.signIn({ email: field('email'), password: field('password') }));
  };
  const signInAt = async (id: string) => {
    location.href = await api.providers.begin(id, { returnTo: location.pathname });
  };

  return (
    <form onSubmit={submit}>
      <h1>Sign in</h1>
      {mfaToken ? (
        <input key="code" name="code" placeholder="Code" autoComplete="one-time-code" required />
      ) : (
        <>
          <input name="email" type="email" placeholder="Email" autoComplete="username" required />
          <input name="password" type="password" placeholder="Password" autoComplete="current-password" required />
        </>
      )}
      <button type="submit">Sign in</button>
      {providers.map(({ id, name }) => (
        <button key={id} type="button" onClick={() => signInAt(id)}>
          Sign in with {name}
        </button>
      ))}
      <p role="alert">{message}</p>
    </form>
  );
}
