/** Loads brokers and their packages only for a cell that has MQTT. */
import type { PartFactory } from "../part.js";

export const mqttPart: PartFactory = async (services) => {
  const config = services.setup.gateway.mqtt;
  if (config === "off") return {};
  const { MqttPart } = await import("./mqttPart.js");
  return MqttPart.start(services, config);
};
