# Steps that compile against ROS: our interface packages, and rclnodejs. Both are made in a stage folder and moved into
# place at the end. Sourced by step.sh.

# A folder without spaces that stands for the ROS prefix.
stage_prefix() {
  if [ "$CEREBELLUM_ROS_KIND" = wheels ]; then
    ln -sfn "$cerebellum_venv" "$CEREBELLUM_STAGE/ros"
    PATH="$CEREBELLUM_STAGE/ros/bin:$PATH"
    AMENT_PREFIX_PATH="$CEREBELLUM_STAGE/ros"
    export PATH AMENT_PREFIX_PATH
  fi
}

# Builds every package of launch/interfaces that this ROS does not have.
step_overlay() {
  stage_prefix
  cp -r "$CEREBELLUM_ROOT/launch/interfaces" "$CEREBELLUM_STAGE/interfaces"
  overlay_jobs=''
  for overlay_source in "$CEREBELLUM_STAGE"/interfaces/*/; do
    overlay_name=$(basename "$overlay_source")
    if [ "$overlay_name" = tf2_msgs ] && prefix_has "$overlay_name"; then continue; fi
    build_interfaces "$overlay_name" &
    overlay_jobs="$overlay_jobs $!"
  done
  overlay_failed=''
  for overlay_job in $overlay_jobs; do wait "$overlay_job" || overlay_failed=yes; done
  if [ -n "$overlay_failed" ]; then return 1; fi
  rm -f "$stamp_overlay"
  rm -rf "$cerebellum_ros2/overlay.new" "$cerebellum_ros2/overlay.old"
  cp -r "$CEREBELLUM_STAGE/overlay" "$cerebellum_ros2/overlay.new"
  if [ -e "$cerebellum_ros2/overlay" ]; then mv "$cerebellum_ros2/overlay" "$cerebellum_ros2/overlay.old"; fi
  mv "$cerebellum_ros2/overlay.new" "$cerebellum_ros2/overlay"
  rm -rf "$cerebellum_ros2/overlay.old"
  write_stamp "$stamp_overlay" "$(key_overlay)"
}

prefix_has() {
  printf '%s' "$AMENT_PREFIX_PATH" | tr ':' '\n' | grep -v "^$cerebellum_ros2/" | while read -r prefix_folder; do
    if [ -e "$prefix_folder/share/$1/package.xml" ]; then echo found; fi
  done | grep -q found
}

build_interfaces() {
  # Without optimisation flags beyond -O1 the generated code compiles in half the time and is as fast for small messages.
  cmake -G Ninja -S "$CEREBELLUM_STAGE/interfaces/$1" -B "$CEREBELLUM_STAGE/build-$1" \
    -DCMAKE_C_FLAGS=-O1 -DCMAKE_CXX_FLAGS=-O1 -DBUILD_TESTING=OFF -DCMAKE_INSTALL_MESSAGE=NEVER \
    -DCMAKE_PREFIX_PATH="$(printf '%s' "$AMENT_PREFIX_PATH" | tr ':' ';')" \
    -DCMAKE_INSTALL_PREFIX="$CEREBELLUM_STAGE/overlay" \
    -DPython3_EXECUTABLE="$(stage_python)" -DPython3_FIND_VIRTUALENV=ONLY
  ninja -C "$CEREBELLUM_STAGE/build-$1" install
}

# The wheels' own Python; beside a sourced ROS the machine's, which that ROS was built for.
stage_python() {
  if [ "$CEREBELLUM_ROS_KIND" = wheels ]; then echo "$CEREBELLUM_STAGE/ros/bin/python3"; else find_python; fi
}

# Makes rclnodejs loadable: one of its ready builds where one fits and loads, else a build from its sources. It must never
# come to rebuild itself at run time: it then deletes a working build first, whatever the trouble was.
step_rclnodejs() {
  addon_target=node_modules/rclnodejs/build/Release/rclnodejs.node
  rm -f "$stamp_addon"
  if ! node "$cerebellum_setup/loadAddon.mjs" prebuilt; then
    build_addon
    mkdir -p "$(dirname "$addon_target")"
    cp "$CEREBELLUM_STAGE/rclnodejs/build/Release/rclnodejs.node" "$addon_target.new"
    mv -f "$addon_target.new" "$addon_target"
    node "$cerebellum_setup/loadAddon.mjs" built
  fi
  write_stamp "$stamp_addon" "$(key_addon)"
}

build_addon() {
  stage_prefix
  stage_rclnodejs
  addon_headers=$(node "$cerebellum_setup/nodeHeaders.mjs")
  ln -sfn "$addon_headers" "$CEREBELLUM_STAGE/node"
  (
    cd "$CEREBELLUM_STAGE/rclnodejs"
    npm_config_nodedir="$CEREBELLUM_STAGE/node" npm_config_python="$(stage_python)" \
      node "$CEREBELLUM_STAGE/node_modules/node-gyp/bin/node-gyp.js" configure -- -f ninja
    ninja -C build/Release
  )
}

# A copy of rclnodejs beside links to the packages it uses; those whose paths reach a build file are copied too, because
# Node resolves links to their real paths.
stage_rclnodejs() {
  mkdir "$CEREBELLUM_STAGE/node_modules"
  ln -s "$CEREBELLUM_ROOT"/node_modules/* "$CEREBELLUM_STAGE/node_modules/"
  for stage_name in rclnodejs node-gyp node-addon-api; do
    rm "$CEREBELLUM_STAGE/node_modules/$stage_name"
    cp -r "$CEREBELLUM_ROOT/node_modules/$stage_name" "$CEREBELLUM_STAGE/node_modules/$stage_name"
  done
  mv "$CEREBELLUM_STAGE/node_modules/rclnodejs" "$CEREBELLUM_STAGE/rclnodejs"
  rm -rf "$CEREBELLUM_STAGE/rclnodejs/build" "$CEREBELLUM_STAGE/rclnodejs/generated"
}

# JavaScript classes of every interface package that ROS and the overlay have; then one message through real ROS.
step_messages() {
  stage_rclnodejs
  node "$CEREBELLUM_STAGE/rclnodejs/scripts/generate_messages.cjs" | tee "$CEREBELLUM_STAGE/generate.log"
  # The generator reports an error in words only.
  if ! grep -q '^Generation complete' "$CEREBELLUM_STAGE/generate.log"; then return 1; fi
  cd "$CEREBELLUM_ROOT/node_modules/rclnodejs"
  rm -f "$stamp_messages"
  rm -rf generated.new generated.old
  cp -r "$CEREBELLUM_STAGE/rclnodejs/generated" generated.new
  if [ -e generated ]; then mv generated generated.old; fi
  mv generated.new generated
  rm -rf generated.old
  # The type declarations of all messages, found by the package's own index.
  cp "$CEREBELLUM_STAGE/rclnodejs/types/interfaces.d.ts" types/interfaces.d.ts.new
  mv -f types/interfaces.d.ts.new types/interfaces.d.ts
  cd "$CEREBELLUM_ROOT"
  node "$cerebellum_setup/proveRos.mjs"
  write_stamp "$stamp_messages" "$(key_messages)"
}
