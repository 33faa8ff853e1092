# The trainer's environment. Sourced by step.sh.

# The trainer's environment is large (PyTorch) and separate: neither the daemon nor its tests need it.
step_trainer() {
  check_python
  case "$python_version" in
    3.10) fail "The trainer needs Python 3.11 or newer; $python_base is $python_version" "Install one and name it in CEREBELLUM_PYTHON" ;;
  esac
  trainer_venv="$CEREBELLUM_ROOT/.trainer/venv"
  if [ -d "$trainer_venv" ] && ! venv_is_of "$trainer_venv" "$(venv_base "$trainer_venv")"; then rm -rf "$trainer_venv"; fi
  rm -f "$stamp_trainer"
  make_venv "$trainer_venv"
  install_into "$trainer_venv" -r "$CEREBELLUM_ROOT/trainer/requirements.txt"
  write_stamp "$stamp_trainer" "$(key_trainer)"
}
