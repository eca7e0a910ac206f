import { quoin } from './quoin';
import { SignIn, SignOut } from './session';

export default async function Page() {
  const api = await quoin();
  if (!(await api.isSignedIn())) return <SignIn />;
  const { email } = await api.GET('/api/v1/users/me');
  const { items } = await api.GET('/api/v1/users/{user_id}/tasks', { params: { path: { user_id: 'me' } } });
  return (
    <>
      <h1>Tasks of {email}</h1>
      <ul>
        {items.map(({ id, title }) => (
          <li key={id}>{title}</li>
        ))}
      </ul>
      <SignOut />
    </>
  );
}
