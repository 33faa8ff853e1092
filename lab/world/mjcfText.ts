/** Numbers and colours of the generated XML. */
import type { QuatXyzw } from "../../kinematics/pose.js";

export const LIGHT_GREY = "0.86 0.87 0.88 1";
export const DARK_GREY = "0.23 0.24 0.26 1";
export const JOINT_GREY = "0.34 0.35 0.37 1";
export const BLACK = "0.11 0.11 0.12 1";
/** Of what lies on tables, and of tables. */
export const CONTACT = 'friction="1 0.05 0.001" condim="4"';

export const text = (numbers: ArrayLike<number>): string => Array.from(numbers, (n) => String(n)).join(" ");
export const wxyz = ([x, y, z, w]: QuatXyzw): string => text([w, x, y, z]);
