/** Proves that the packages with native parts work, by using them; prints the reason and exits 1 if one does not. */
import assert from "node:assert/strict";

/** An ONNX model of one Identity node: float32 x[2] to y[2]. */
const IDENTITY_MODEL =
  "CAgSADo3ChAKAXgSAXkiCElkZW50aXR5EgFnWg8KAXgSCgoICAESBAoCCAJiDwoBeRIKCggIARIECgIIAkIECgAQEQ==";

async function proveOnnxRuntime() {
  const { default: ort } = await import("onnxruntime-node");
  const session = await ort.InferenceSession.create(Buffer.from(IDENTITY_MODEL, "base64"));
  const { y } = await session.run({ x: new ort.Tensor("float32", Float32Array.of(1, 2), [2]) });
  assert.deepEqual([...y.data], [1, 2]);
  await session.release();
}

async function proveSharp() {
  const { default: sharp } = await import("sharp");
  const png = await sharp(Buffer.alloc(12), { raw: { width: 2, height: 2, channels: 3 } })
    .png()
    .toBuffer();
  const { width } = await sharp(png).metadata();
  assert.equal(width, 2);
}

for (const [name, prove] of [
  ["onnxruntime-node", proveOnnxRuntime],
  ["sharp", proveSharp],
]) {
  try {
    await prove();
    console.log(`${name} works`);
  } catch (error) {
    console.error(`${name} does not work on this machine: ${error.message}`);
    process.exitCode = 1;
  }
}
