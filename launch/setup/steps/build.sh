# Compiles TypeScript into dist/. Sourced by step.sh.

step_build() {
  build_key=$(key_build)
  node node_modules/typescript/bin/tsc -p tsconfig.json
  node node_modules/vite/bin/vite.js build --config console/vite.config.ts --logLevel warn
  write_stamp "$stamp_build" "$build_key"
}
