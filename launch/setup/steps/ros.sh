# ROS 2 itself. Sourced by step.sh.

# The Python environment of ROS: with "wheels" it is the ROS prefix itself, beside a sourced ROS it only adds tools.
step_ros() {
  check_python
  ros_begun="$cerebellum_ros2/stamps/ros.begun"
  if [ -e "$ros_begun" ] || ! venv_is_of "$cerebellum_venv" "$python_base"; then rm -rf "$cerebellum_venv"; fi
  rm -f "$stamp_ros"
  mkdir -p "$cerebellum_ros2/stamps"
  : >"$ros_begun"
  if [ "$CEREBELLUM_ROS_KIND" = wheels ]; then
    make_venv "$cerebellum_venv"
    install_into "$cerebellum_venv" --no-deps -r "$cerebellum_setup/requirements-ros.txt"
    patch_wheels "$cerebellum_venv"
  else
    make_venv "$cerebellum_venv" --system-site-packages
  fi
  for tool in cmake ninja; do
    if ! have "$tool"; then
      install_into "$cerebellum_venv" --no-deps "$(grep "^$tool==" "$cerebellum_setup/requirements-buildtools.txt")"
    fi
  done
  rm -f "$ros_begun"
  write_stamp "$stamp_ros" "$(key_ros)"
}

# Makes the wheels fit for being a ROS prefix that others load and build against.
patch_wheels() {
  # These three list libraries that want symbols of a Python interpreter, which Node does not have. rclpy has its own.
  for patch_name in rcl rcl_action rcl_lifecycle; do
    patch_library="$1/lib/lib$patch_name.so"
    cp "$patch_library" "$patch_library.new"
    for patch_needed in $("$1/bin/patchelf" --print-needed "$patch_library" | grep '__rosidl_generator_py\.so$'); do
      "$1/bin/patchelf" --remove-needed "$patch_needed" "$patch_library.new"
    done
    mv -f "$patch_library.new" "$patch_library"
  done
  # CMake refuses include folders that do not exist; these are of the machine the wheels were built on.
  for patch_file in "$1"/share/*/cmake/*Export.cmake; do
    sed -i '/INTERFACE_INCLUDE_DIRECTORIES/s#"/opt/python/[^"]*"#""#' "$patch_file"
  done
  # rclnodejs takes the folder of a program called ros2 as the ROS root.
  printf '#!/bin/sh\n%s\necho "ros2: the ROS wheels bring no command line tools" >&2\nexit 1\n' \
    '# Only marks the ROS root for rclnodejs.' >"$1/bin/ros2.new"
  chmod +x "$1/bin/ros2.new"
  mv -f "$1/bin/ros2.new" "$1/bin/ros2"
}
