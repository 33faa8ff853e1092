# Node packages. Sourced by step.sh.

# Node packages from the lock file, without their install scripts: the two with native parts bring them ready, and
# rclnodejs is built by a step of its own. A folder that already holds exactly the locked packages is left alone.
step_packages() {
  if ! node "$cerebellum_setup/packagesMatchLock.mjs"; then
    npm ci --ignore-scripts --no-audit --no-fund --prefer-offline
    node "$cerebellum_setup/packagesMatchLock.mjs"
  fi
  node "$cerebellum_setup/provePackages.mjs"
  write_stamp "$stamp_packages" "$(key_packages)"
}
