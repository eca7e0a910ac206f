import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// The browser sees one origin.
const proxy = { '/api': process.env.API_URL ?? 'http://127.0.0.1:8000' };

export default defineConfig({
  plugins: [react()],
  server: { host: 'localhost', proxy },
  preview: { host: 'localhost', proxy },
});
