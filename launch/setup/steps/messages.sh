# JavaScript of the ROS messages. Sourced by step.sh.

# JavaScript classes of every interface package that ROS and the overlay have; then one message through real ROS.
step_messages() {
  messages_key=$(key_messages)
  stage_rclnodejs
  node "$CEREBELLUM_STAGE/rclnodejs/scripts/generate_messages.cjs" | tee "$CEREBELLUM_STAGE/generate.log"
  # The generator reports an error in words only.
  [ -d "$CEREBELLUM_STAGE/rclnodejs/generated/cerebellum_msgs" ]
  if grep -q 'Caught error' "$CEREBELLUM_STAGE/generate.log"; then return 1; fi
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
  write_stamp "$stamp_messages" "$messages_key"
}
