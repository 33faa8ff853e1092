/** Builds the operator's console and the headset's page into dist/pages; everything they need is in the bundle. */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here("."),
  base: "/",
  build: {
    outDir: here("../dist/pages"),
    emptyOutDir: true,
    target: "es2022",
    sourcemap: true,
    chunkSizeWarningLimit: 1500,
    rollupOptions: { input: { console: here("./index.html"), xr: here("./xr/index.html") } },
  },
});
