# Python environments: what the steps that make one share. Sourced by step.sh.

# An environment cannot be moved: its scripts name their folder.
venv_is_of() {
  [ -f "$1/pyvenv.cfg" ] && [ "$(venv_base "$1")" = "$2" ] &&
    grep -qsF "$1/bin" "$1/bin/pip" "$1/bin/activate"
}

make_venv() {
  make_venv_folder=$1
  shift
  if [ ! -x "$make_venv_folder/bin/python3" ]; then "$python_base" -m venv "$@" "$make_venv_folder"; fi
}

# PEP 517 also for the few packages that come as sources: it needs nothing of the machine's Python.
install_into() {
  install_folder=$1
  shift
  "$install_folder/bin/python3" -m pip install --disable-pip-version-check --no-input --no-compile --use-pep517 "$@"
}
