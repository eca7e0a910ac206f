'use client';

import { createClient, ProblemError } from '@quoin/client';
import { useRouter } from 'next/navigation';
import { type FormEvent, useState } from 'react';

/** The browser sends the cookie by itself. */
const api = () => createClient({ baseUrl: location.origin, session: 'cookie' });

export function SignIn() {
  const router = useRouter();
  const [message, setMessage] = useState('');
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const field = (name: string) => String(new FormData(event.currentTarget).get(name));
    try {
      await api().signIn({ email: field('email'), password: field('password') });
      router.refresh();
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      setMessage(error.message);
    }
  };
  return (
    <form onSubmit={submit}>
      <h1>Sign in</h1>
      <input name="email" type="email" placeholder="Email" autoComplete="username" required />
      <input name="password" type="password" placeholder="Password" autoComplete="current-password" required />
      <button type="submit">Sign in</button>
      <p role="alert">{message}</p>
    </form>
  );
}

export function SignOut() {
  const router = useRouter();
  const signOut = async () => {
    await api().signOut();
    router.refresh();
  };
  return (
    <button type="button" onClick={signOut}>
      Sign out
    </button>
  );
}
