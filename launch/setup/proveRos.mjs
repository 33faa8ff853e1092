/** One message of our own type through real ROS, published and received: proves rclnodejs, middleware and interfaces. */
import rclnodejs from "rclnodejs";

const PATIENCE_MS = 20_000;
const TYPE = "cerebellum_msgs/msg/PolicyStatus";
const topic = `/cerebellum_setup_${process.pid}`;

await rclnodejs.init();
const node = new rclnodejs.Node(`cerebellum_setup_${process.pid}`);
const publisher = node.createPublisher(TYPE, topic);
node.createPublisher("tf2_msgs/msg/TFMessage", `${topic}/tf`);

const giveUp = setTimeout(() => {
  console.error(
    `No message came back within ${PATIENCE_MS / 1000} s, though ROS started. Is the loopback network interface up?`,
  );
  process.exit(1);
}, PATIENCE_MS);

node.createSubscription(TYPE, topic, (message) => {
  if (message.state !== "proof") return;
  clearTimeout(giveUp);
  clearInterval(sending);
  rclnodejs.shutdown();
  console.log("ROS 2 works");
});
node.spin();
const sending = setInterval(() => {
  const status = rclnodejs.createMessageObject(TYPE);
  status.state = "proof";
  publisher.publish(status);
}, 100);
