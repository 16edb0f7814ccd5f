import { defineConfig } from "vite";

// Everything is served by the service itself, so paths are relative and nothing is fetched elsewhere.
export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    license: true,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1200,
    assetsInlineLimit: 0,
  },
  server: {
    proxy: {
      "/v1": { target: "http://127.0.0.1:8000", ws: true },
      "/readyz": "http://127.0.0.1:8000",
    },
  },
});
