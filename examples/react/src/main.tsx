import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { useSession } from './session';
import { SignIn } from './sign-in';
import { Tasks } from './tasks';

function App() {
  const { isSignedIn, problem, refresh } = useSession();
  if (isSignedIn === undefined) return null;
  return isSignedIn ? <Tasks onSignedOut={refresh} /> : <SignIn problem={problem} onSignedIn={refresh} />;
}

createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
