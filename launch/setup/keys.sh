# What each prepared thing is made from, as one hash, and where its stamp lies. A stamp lies with the thing itself, so
# that deleting one deletes the other. Sourced after common.sh and environment.sh.

stamp_packages="$CEREBELLUM_ROOT/node_modules/.cerebellum/packages"
stamp_addon="$CEREBELLUM_ROOT/node_modules/.cerebellum/rclnodejs"
stamp_messages="$CEREBELLUM_ROOT/node_modules/.cerebellum/messages"
stamp_build="$CEREBELLUM_ROOT/dist/.cerebellum-build"
stamp_ros="$cerebellum_ros2/stamps/ros"
stamp_overlay="$cerebellum_ros2/stamps/overlay"
stamp_tests="$cerebellum_ros2/stamps/tests"
stamp_trainer="$CEREBELLUM_ROOT/.trainer/stamp"

# The Node that addons are built for.
node_key() { node -p '[process.execPath, process.versions.modules, process.arch].join()'; }

# The ROS that things are built against; a sourced one is known by its name and folders.
ros_source_key() {
  if [ "$CEREBELLUM_ROS_KIND" = wheels ]; then
    echo wheels
  else
    printf '%s' "$ROS_DISTRO:" && printf '%s' "$AMENT_PREFIX_PATH" | tr ':' '\n' | grep -v "^$cerebellum_ros2/" | tr '\n' ':'
  fi
}

python_key() { "$cerebellum_venv/bin/python3" -c 'import sys; print(sys._base_executable, sys.version_info[:2])' 2>&1; }

key_packages() { printf '%s\n' package-lock.json | hash_of "$(node_key)"; }
key_ros() {
  printf '%s\n' launch/setup/requirements-ros.txt launch/setup/requirements-buildtools.txt launch/setup/steps/ros.sh |
    hash_of "$(ros_source_key)" "$CEREBELLUM_ROOT" "$(python_key)"
}
key_overlay() {
  { find launch/interfaces -type f && echo launch/setup/steps/overlay.sh; } | hash_of "$(key_ros)"
}
key_addon() {
  printf '%s\n' launch/setup/steps/rclnodejs.sh node_modules/rclnodejs/package.json | hash_of "$(key_ros)" "$(node_key)"
}
key_messages() { printf '%s\n' launch/setup/steps/messages.sh node_modules/rclnodejs/package.json | hash_of "$(key_overlay)"; }
# The message types are part of what the compiler checks against.
key_build() {
  {
    find core kinematics drivers policies episodes calibration runtime launch lab test -name '*.ts' 2>/dev/null || :
    find console -type f 2>/dev/null || :
    printf '%s\n' tsconfig.json package-lock.json
  } | hash_of "$(key_messages)"
}
key_tests() { printf '%s\n' launch/setup/requirements-test.txt | hash_of "$(key_ros)"; }
key_trainer() { printf '%s\n' trainer/requirements.txt | hash_of "$CEREBELLUM_ROOT"; }

packages_ready() { stamp_current "$stamp_packages" "$(key_packages)"; }
ros_ready() { stamp_current "$stamp_ros" "$(key_ros)"; }
overlay_ready() { [ -d "$cerebellum_ros2/overlay/share" ] && stamp_current "$stamp_overlay" "$(key_overlay)"; }
addon_ready() { stamp_current "$stamp_addon" "$(key_addon)"; }
messages_ready() { [ -d node_modules/rclnodejs/generated ] && stamp_current "$stamp_messages" "$(key_messages)"; }
build_ready() { [ -f dist/launch/main.js ] && stamp_current "$stamp_build" "$(key_build)"; }
tests_ready() { stamp_current "$stamp_tests" "$(key_tests)"; }
trainer_ready() { [ -x .trainer/venv/bin/python ] && stamp_current "$stamp_trainer" "$(key_trainer)"; }
