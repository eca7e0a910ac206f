import { browserStore, createClient, ProblemError } from '@quoin/client';

const api = createClient({ baseUrl: location.origin, store: browserStore(), onSessionEnd: () => void show() });
const me = { path: { user_id: 'me' } } as const;
const cart = new Map<string, number>();

const find = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const say = (text: string) => {
  find('status').textContent = text;
};
/** Replaces the lines of a list. Texts of others are texts and not HTML. */
const fill = (id: string, lines: (string | Node)[][]) =>
  find(id).replaceChildren(
    ...lines.map((parts) => {
      const line = document.createElement('li');
      line.append(...parts);
      return line;
    }),
  );

async function showProducts() {
  const q = find<HTMLInputElement>('search').value;
  const { items } = await api.GET('/api/v1/products', { params: { query: { sort: 'name', ...(q && { q }) } } });
  fill(
    'products',
    items.map(({ id, name, price, stock }) => {
      const button = document.createElement('button');
      button.textContent = `Add ${name}`;
      button.disabled = stock === 0;
      button.onclick = () => {
        cart.set(id, (cart.get(id) ?? 0) + 1);
        say(`${[...cart.values()].reduce((sum, one) => sum + one)} in your cart`);
      };
      return [`${name}, ${price} €, ${stock} left `, button];
    }),
  );
}

async function show() {
  const isSignedIn = await api.isSignedIn();
  find('sign-in').hidden = isSignedIn;
  find('order').hidden = !isSignedIn;
  await showProducts();
  if (!isSignedIn) return fill('orders', []);
  const { items } = await api.GET('/api/v1/users/{user_id}/orders', { params: me });
  fill(
    'orders',
    items.map(({ address, status, total }) => [`${total} €, ${status}, to ${address}`]),
  );
}

/** Runs the work of a form, and says what went wrong. */
const onSubmit = (id: string, work: (data: Record<string, string>) => Promise<unknown>) => {
  find(id).addEventListener('submit', async (event) => {
    event.preventDefault();
    const { target, submitter } = event as SubmitEvent;
    const data = Object.fromEntries(new FormData(target as HTMLFormElement, submitter)) as Record<string, string>;
    say('');
    try {
      await work(data);
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      say(error.message);
    }
    await show();
  });
};

onSubmit('sign-in', async ({ email = '', password = '', action }) => {
  if (action === 'register') await api.POST('/api/v1/auth/register', { body: { email, password } });
  await api.signIn({ email, password });
});
onSubmit('order', async ({ address = '' }) => {
  const items = [...cart].map(([product_id, quantity]) => ({ product_id, quantity }));
  await api.POST('/api/v1/users/{user_id}/orders', { params: me, body: { address, items } });
  cart.clear();
  say('Thank you for your order.');
});
find('sign-out').onclick = () => api.signOut().then(show);
find('search').oninput = showProducts;
await show();
