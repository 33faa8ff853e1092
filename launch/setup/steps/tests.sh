# Python packages of the tests, in the ROS environment. Sourced by step.sh.

step_tests() {
  tests_key=$(key_tests)
  rm -f "$stamp_tests"
  install_into "$cerebellum_venv" --no-deps -r "$cerebellum_setup/requirements-test.txt"
  write_stamp "$stamp_tests" "$tests_key"
}
