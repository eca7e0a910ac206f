import { expect, test } from 'vitest';
import { startTestApp } from '../../testing/test-app.ts';

test('the landing page loads nothing, and names the database in development', async () => {
  const api = await startTestApp({ NODE_ENV: 'development' });
  const { statusCode, headers, body } = await api.send('GET', '//');
  expect([statusCode, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
  expect(headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha256-/);
  expect(body).toContain('Development server with');
  expect(body).toContain('href="/docs"');
  expect(body).not.toMatch(/<script|https?:\/\//);
  await api.close();
});

test('the landing page says nothing about the server in production', async () => {
  const api = await startTestApp({ NODE_ENV: 'production' });
  const { statusCode, body } = await api.send('GET', '//');
  expect(statusCode).toBe(200);
  expect(body).not.toMatch(/Development|embedded|DATABASE_URL|\/docs/);
  await api.close();
});
