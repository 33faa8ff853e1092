# The native part of rclnodejs. Sourced by step.sh.

# Makes rclnodejs loadable: one of its ready builds where one fits and loads, else a build from its sources. It must never
# come to rebuild itself at run time: it then deletes a working build first, whatever the trouble was.
step_rclnodejs() {
  rclnodejs_key=$(key_addon)
  addon_target=node_modules/rclnodejs/build/Release/rclnodejs.node
  rm -f "$stamp_addon"
  if ! node "$cerebellum_setup/loadAddon.mjs" prebuilt; then
    build_addon
    mkdir -p "$(dirname "$addon_target")"
    cp "$CEREBELLUM_STAGE/rclnodejs/build/Release/rclnodejs.node" "$addon_target.new"
    mv -f "$addon_target.new" "$addon_target"
    node "$cerebellum_setup/loadAddon.mjs" built
  fi
  write_stamp "$stamp_addon" "$rclnodejs_key"
}

build_addon() {
  stage_prefix
  stage_rclnodejs
  rm -rf "$CEREBELLUM_STAGE/rclnodejs/build"
  addon_headers=$(node "$cerebellum_setup/nodeHeaders.mjs")
  ln -sfn "$addon_headers" "$CEREBELLUM_STAGE/node"
  (
    cd "$CEREBELLUM_STAGE/rclnodejs"
    npm_config_nodedir="$CEREBELLUM_STAGE/node" npm_config_python="$(stage_python)" \
      node "$CEREBELLUM_STAGE/node_modules/node-gyp/bin/node-gyp.js" configure -- -f ninja
    ninja -C build/Release
  )
}
