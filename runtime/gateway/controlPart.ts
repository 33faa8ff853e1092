/** Requests about robots, policy and recording: they go to the main thread, like those from any other shell. */
import type { GatewayRequest } from "../../core/gateway/requests.js";
import type { Answer, GatewayClient, GatewayPart, PartServices, RequestOf } from "./part.js";

export function controlPart({ askMain, stopRobots }: PartServices): GatewayPart {
  const ask = (request: GatewayRequest, client: GatewayClient): Promise<Answer> => askMain(request, client);
  return {
    requests: {
      enable: ask,
      reset: ask,
      /** Straight to the servos: a stop waits for nobody. */
      stop: ({ category }: RequestOf<"stop">, client) => stopRobots(category, client.name),
      startPolicy: ask,
      stopPolicy: ask,
      startRecording: ask,
      stopRecording: ask,
      discardRecording: ask,
      labelEpisode: ask,
      teach: ask,
    },
  };
}
