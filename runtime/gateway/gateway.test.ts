/** The whole gateway on real sockets: who gets in, who is turned away, and what its clients may do. */
import { afterEach, describe, expect, it } from "vitest";
import { TestGateway } from "../../test/support/gateway.js";

let gateway: TestGateway | undefined;
const start = async (...options: Parameters<typeof TestGateway.start>) => {
  gateway = await TestGateway.start(...options);
  return gateway;
};
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
});

describe("gateway", () => {
  it("welcomes a paired client, tells it the cell, and answers it", async () => {
    const { setup } = await start();
    const client = await gateway!.client();
    const [welcome] = client.ofKind("welcome");
    expect(welcome).toMatchObject({ role: "operator", client: "program tester", cell: setup.cell });
    expect(welcome?.robots).toEqual(setup.robots);
    expect(await client.request({ do: "enable" })).toMatchObject({ kind: "answer", message: "did enable" });
  });
});
