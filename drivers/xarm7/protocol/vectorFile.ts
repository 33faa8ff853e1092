/**
 * Vector files of this wire, as the tests and the conformance command read them: recorded command frames with the call
 * that made them, and report frames with their decoded values. Checking answers every mismatch, and never throws.
 */
import { z } from "zod";
import { Comparison, type VectorCheck } from "../../../core/vectorCheck.js";
import {
  type CommandReply,
  decodeReply,
  decodeRequest,
  encodeRawReply,
  encodeRawRequest,
  encodeReply,
  encodeRequest,
  resultCode,
} from "./commandFrame.js";
import { type Decoded, textOf } from "./decoded.js";
import { decodeGripperReply, decodeGripperRequest, wordsToPulse } from "./gripper.js";
import { MESSAGES } from "./messages.js";
import { decodeReport } from "./reportCodec.js";
import { modeOf, REPORT_KINDS, REPORTS, type ReportField, stateOf } from "./reports.js";
import { messageOfVendorCall } from "./vendorCalls.js";

const Hex = z.string().regex(/^([0-9a-fA-F]{2})*$/);

export const RequestVector = z.looseObject({
  tag: z.string(),
  call: z.string(),
  layer: z.string(),
  args: z.array(z.unknown()),
  kwargs: z.record(z.string(), z.unknown()),
  transaction_id: z.int().optional(),
  protocol_id: z.int().optional(),
  register: z.int().optional(),
  params_hex: Hex.optional(),
  request_hex: Hex,
  example_reply_hex: Hex.optional(),
  sdk_result: z.unknown().optional(),
  sequence: z.array(z.looseObject({ request_hex: Hex, example_reply_hex: Hex.optional() })).optional(),
});
export type RequestVector = z.infer<typeof RequestVector>;

export const ReportVector = z.looseObject({
  tag: z.string(),
  port: z.int(),
  frame_hex: Hex,
  decoded: z.looseObject({
    struct: z.record(z.string(), z.unknown()),
    api: z.looseObject({ rejected: z.boolean().optional() }).optional(),
  }),
});
export type ReportVector = z.infer<typeof ReportVector>;

export interface ArmVectorCheck extends VectorCheck {
  /** False where the call is not in our table, and only its register and parameters could be checked. */
  readonly callKnown: boolean;
  /** Values that the call does not determine and that were taken from the recording. */
  readonly undetermined: number;
}

class ArmComparison extends Comparison implements ArmVectorCheck {
  callKnown = true;
  undetermined = 0;
}

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const kindOf = (decoded: Decoded<unknown>): string =>
  decoded.kind === "corrupt" ? `corrupt: ${decoded.reason}` : decoded.kind;

export function checkRequestVector(vector: RequestVector): ArmVectorCheck {
  const comparison = new ArmComparison(vector.tag);
  const { transaction_id: transactionId = 0, protocol_id: protocolId = 0 } = vector;
  comparison.guard("call", () => {
    const message = messageOfVendorCall(vector);
    comparison.callKnown = message !== undefined;
    if (message === undefined) return;
    const recorded = decodeRequest(bytesOf(vector.request_hex));
    const values = message.values.map((value, i) =>
      Number.isNaN(value) && recorded.kind === "frame" ? (recorded.value.values[i] ?? value) : value,
    );
    comparison.undetermined = message.values.filter(Number.isNaN).length;
    const bytes = encodeRequest(transactionId, protocolId, message.name, values);
    comparison.equal("request of the call", vector.request_hex.toLowerCase(), hexOf(bytes));
  });
  comparison.guard("request", () => {
    const request = againAsRequest(comparison, "request", vector.request_hex);
    if (vector.register === undefined || request === undefined) return;
    comparison.equal("register", String(vector.register), String(request.register));
    comparison.equal("transaction id", String(transactionId), String(request.transactionId));
    comparison.equal("protocol id", String(protocolId), String(request.protocolId));
    if (vector.params_hex !== undefined)
      comparison.equal(
        "parameters",
        vector.params_hex.toLowerCase(),
        vector.request_hex.slice(14).toLowerCase(),
      );
  });
  comparison.guard("reply", () => {
    if (!vector.example_reply_hex) return;
    const reply = againAsReply(comparison, "reply", vector.example_reply_hex, vector.request_hex);
    if (reply !== undefined) compareResult(comparison, vector, reply);
  });
  for (const [i, step] of (vector.sequence ?? []).entries())
    comparison.guard(`sequence ${i}`, () => {
      againAsRequest(comparison, `sequence ${i} request`, step.request_hex);
      if (step.example_reply_hex)
        againAsReply(comparison, `sequence ${i} reply`, step.example_reply_hex, step.request_hex);
    });
  return comparison;
}

/** Decodes and encodes again: the bytes must not change. */
function againAsRequest(comparison: Comparison, what: string, hex: string) {
  const decoded = decodeRequest(bytesOf(hex));
  if (decoded.kind !== "frame") return comparison.equal(what, "frame", kindOf(decoded));
  const { transactionId, protocolId, register, name, values } = decoded.value;
  const bytes =
    name === undefined
      ? encodeRawRequest(transactionId, protocolId, register, values)
      : encodeRequest(transactionId, protocolId, name, values);
  comparison.equal(`${what} encoded again`, hex.toLowerCase(), hexOf(bytes));
  return decoded.value;
}

function againAsReply(comparison: Comparison, what: string, hex: string, requestHex: string) {
  const decoded = decodeReply(bytesOf(hex));
  if (decoded.kind !== "frame") return comparison.equal(what, "frame", kindOf(decoded));
  const { transactionId, protocolId, register, name, stateByte, values } = decoded.value;
  const bytes =
    name === undefined
      ? encodeRawReply(transactionId, protocolId, register, stateByte, values)
      : encodeReply(transactionId, protocolId, name, stateByte, values);
  comparison.equal(`${what} encoded again`, hex.toLowerCase(), hexOf(bytes));
  comparison.equal(`${what} echoes ids`, requestHex.slice(0, 8), hex.slice(0, 8));
  comparison.equal(`${what} echoes register`, requestHex.slice(12, 14), hex.slice(12, 14));
  return decoded.value;
}

/** The SDK's own result: a code, or a code and values in one of several shapes. */
function compareResult(comparison: ArmComparison, vector: RequestVector, reply: CommandReply): void {
  const result = vector.sdk_result;
  if (reply.name === undefined || result === undefined || result === null) return;
  const [code, ...rest] = flat(result);
  const isPublic = vector.layer === "XArmAPI";
  const { motion } = MESSAGES[reply.name];
  const ours = resultCode(reply.stateByte, isPublic && motion);
  // The public class forgives an error or warning in an ordinary call.
  comparison.equal("result code", String(code), String(isPublic && !motion && ours < 3 ? 0 : ours));
  // Values of unknown calls, of one joint, in degrees, or from several frames have other shapes than the reply.
  const { is_radian: isRadian, return_is_radian: returnsRadian, servo_id: joint } = vector.kwargs;
  const isReshaped = isRadian === false || returnsRadian === false || joint !== undefined;
  if (!comparison.callKnown || isReshaped || rest.length === 0 || (vector.sequence?.length ?? 0) > 2) return;
  const values = valuesOfReply(vector, reply);
  if (values === undefined) return;
  const shown = (list: readonly (string | number)[]) =>
    list.map((value) => (typeof value === "number" ? (value + 0).toPrecision(6) : value)).join(" ");
  // The public class rounds to six decimals.
  const near = rest.map((value, i) => {
    const found = values[i];
    return typeof value === "number" && typeof found === "number" && Math.abs(value - found) < 1e-6
      ? value
      : found;
  });
  comparison.equal("values", shown(rest), shown(near.filter((value) => value !== undefined)));
}

function valuesOfReply(vector: RequestVector, reply: CommandReply): (string | number)[] | undefined {
  if (reply.name === "getVersion" || reply.name === "getSerial") return [textOf(reply.values)];
  if (reply.name !== "rs485") return [...reply.values];
  const request = decodeGripperRequest([...bytesOf(vector.request_hex).subarray(7)]);
  if (request.kind !== "frame" || request.value.do !== "read") return undefined;
  const words = decodeGripperReply(request.value, reply.values);
  if (words.kind !== "frame") return [kindOf(words)];
  return [words.value.length === 2 ? wordsToPulse(words.value) : (words.value[0] ?? 0)];
}

export function checkReportVector(vector: ReportVector): ArmVectorCheck {
  const comparison = new ArmComparison(vector.tag);
  const kind = REPORT_KINDS.find((each) => REPORTS[each].port === vector.port);
  if (kind === undefined) {
    comparison.equal(
      "port",
      REPORT_KINDS.map((each) => REPORTS[each].port).join(" or "),
      String(vector.port),
    );
    return comparison;
  }
  comparison.guard("report", () => {
    const decoded = decodeReport(kind, bytesOf(vector.frame_hex));
    const refused = vector.decoded.api?.rejected === true;
    comparison.equal(
      "report",
      refused ? "refused" : "frame",
      decoded.kind === "corrupt" && refused ? "refused" : kindOf(decoded),
    );
    if (decoded.kind !== "frame" || refused) return;
    const values = decoded.value as Record<string, number | string | Float64Array>;
    const { struct } = vector.decoded;
    for (const [name, field] of Object.entries(REPORTS[kind].fields) as [string, ReportField][]) {
      const value = values[name];
      if (!(field.vendor in struct) || value === undefined) continue;
      const found = typeof value === "object" ? Array.from(value) : [value];
      const expected = flat(struct[field.vendor]);
      // The vendor's client lists bounds as (low, high); the wire has high first.
      if (name === "reducedBoundsMm")
        for (let i = 0; i < 6; i += 2) [found[i], found[i + 1]] = [found[i + 1] ?? 0, found[i] ?? 0];
      comparison.equal(field.vendor, expected.join(" "), found.join(" "));
    }
    const modeState = Number(values.modeState);
    if ("mode" in struct) comparison.equal("mode", String(struct.mode), String(modeOf(modeState)));
    if ("state" in struct) comparison.equal("state", String(struct.state), String(stateOf(modeState)));
  });
  return comparison;
}

/** Nested lists opened; booleans as numbers; "nan" as the number. */
function flat(value: unknown): (number | string)[] {
  if (Array.isArray(value)) return value.flatMap(flat);
  if (typeof value === "boolean") return [Number(value)];
  return [value === "nan" ? Number.NaN : typeof value === "number" ? value : String(value)];
}
