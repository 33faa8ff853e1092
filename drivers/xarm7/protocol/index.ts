/** The xArm7's wire, both sides, without any I/O: what the driver and the emulated controller share. */
export * from "./commandFrame.js";
export * from "./decoded.js";
export * from "./frameBuffer.js";
export * from "./gripper.js";
export * from "./identity.js";
export * from "./messages.js";
export * from "./reportCodec.js";
export * from "./reports.js";
export * from "./servoFrame.js";
