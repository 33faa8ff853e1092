# Our ROS interface packages. Sourced by step.sh.

# Builds every package of launch/interfaces that this ROS does not have.
step_overlay() {
  overlay_key=$(key_overlay)
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
  write_stamp "$stamp_overlay" "$overlay_key"
}

prefix_has() {
  printf '%s' "$AMENT_PREFIX_PATH" | tr ':' '\n' | grep -v "^$cerebellum_ros2/" | while read -r prefix_folder; do
    if [ -e "$prefix_folder/share/$1/package.xml" ]; then echo found; fi
  done | grep -q found
}

build_interfaces() {
  cmake -G Ninja -S "$CEREBELLUM_STAGE/interfaces/$1" -B "$CEREBELLUM_STAGE/build-$1" \
    -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF -DCMAKE_INSTALL_MESSAGE=NEVER \
    -DCMAKE_PREFIX_PATH="$(printf '%s' "$AMENT_PREFIX_PATH" | tr ':' ';')" \
    -DCMAKE_INSTALL_PREFIX="$CEREBELLUM_STAGE/overlay" \
    -DPython3_EXECUTABLE="$(stage_python)" -DPython3_FIND_VIRTUALENV=ONLY
  ninja -C "$CEREBELLUM_STAGE/build-$1" install
}
