/** The Allegro Hand's CAN wire, both sides, without any I/O: what the driver and the emulated hand share. */
export * from "./counts.js";
export * from "./gains.js";
export * from "./handFrames.js";
export * from "./hostFrames.js";
export * from "./ids.js";
export * from "./jointFilter.js";
export * from "./pdLaw.js";
export * from "./torque.js";
