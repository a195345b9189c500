import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import type { ProxyOptions } from 'vite';
import { defineConfig } from 'vitest/config';
import { firstLoadBudget } from './firstLoad.ts';

const SERVER = process.env.RECADO_DEV_SERVER ?? 'http://127.0.0.1:8000';
const FIRST_LOAD_BYTES = 200_000;
const { version } = JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8'));

// The server accepts unsafe requests and upgrades only from its own origin; the development page has another one.
const proxy: ProxyOptions = {
  target: SERVER,
  changeOrigin: true,
  ws: true,
  configure: (server) => {
    const ownOrigin = (request: { setHeader(name: string, value: string): unknown }) =>
      void request.setHeader('origin', SERVER);
    server.on('proxyReq', ownOrigin);
    server.on('proxyReqWs', ownOrigin);
  },
};

export default defineConfig({
  plugins: [react(), tailwindcss(), firstLoadBudget(FIRST_LOAD_BYTES)],
  define: { __RECADO_VERSION__: JSON.stringify(version) },
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  server: { proxy: { '/api': proxy, '/socket.io': proxy } },
  build: {
    outDir: '../src/recado/webapp', // the Python wheel carries it
    emptyOutDir: true,
    target: 'baseline-widely-available',
    assetsInlineLimit: 0, // the CSP allows no data: fonts
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [{ name: 'react', test: /node_modules[\\/](react|react-dom|scheduler)[\\/]/ }],
        },
      },
    },
  },
  test: {
    environment: 'node', // what needs a document says so in its first line
    setupFiles: ['./vitest.setup.ts'],
    include: ['src/**/*.test.{ts,tsx}'],
    restoreMocks: true,
    env: { TZ: 'America/Sao_Paulo' },
  },
});
