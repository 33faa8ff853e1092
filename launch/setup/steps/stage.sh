# Steps that compile against ROS make their things in a stage folder and move them into place at the end; this is what
# they share. Sourced by step.sh.

# A folder without spaces that stands for the ROS prefix.
stage_prefix() {
  if [ "$CEREBELLUM_ROS_KIND" = wheels ]; then
    ln -sfn "$cerebellum_venv" "$CEREBELLUM_STAGE/ros"
    PATH="$CEREBELLUM_STAGE/ros/bin:$PATH"
    AMENT_PREFIX_PATH="$CEREBELLUM_STAGE/ros"
    export PATH AMENT_PREFIX_PATH
  fi
}

# The wheels' own Python; beside a sourced ROS the machine's, which that ROS was built for.
stage_python() {
  if [ "$CEREBELLUM_ROS_KIND" = wheels ]; then echo "$CEREBELLUM_STAGE/ros/bin/python3"; else find_python; fi
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
  rm -rf "$CEREBELLUM_STAGE/rclnodejs/generated"
}
