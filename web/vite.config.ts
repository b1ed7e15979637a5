// Setup: how the page is built. Every URL is relative, so that it works under any path of a reverse proxy, and nothing
// is inlined, so that a strict content security policy needs no exception.
import { defineConfig } from "vitest/config";

export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: {
    // `npx vite` in this folder serves the page with hot reload, against a server that runs beside it.
    proxy: { "/ws": { target: "ws://127.0.0.1:8080", ws: true }, "/doctor": "http://127.0.0.1:8080" },
  },
  test: {
    include: ["src/**/*.test.ts"],
  },
});
