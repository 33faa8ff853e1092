import { describe, expect, it } from "vitest";
import { quatFromRpy, rotate } from "./pose.js";
import { opticalFrame, urdf } from "./urdf.js";
import { XARM7_JOINTS, XARM7_LINKS } from "./xarm7.js";
import { GRIPPER_JOINTS, GRIPPER_LINKS } from "./xarmGripper.js";

interface Element {
  readonly tag: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: Element[];
}

/** A strict reader of the XML subset that URDF needs: throws at anything unbalanced or malformed. */
function readXml(text: string): Element {
  const root: Element = { tag: "", attributes: {}, children: [] };
  const open = [root];
  let at = text.startsWith("<?xml") ? text.indexOf("?>") + 2 : 0;
  const token = /\s*(?:<\/([\w]+)>|<([\w]+)((?:\s+[\w]+="[^"<&]*(?:&(?:amp|lt|quot);[^"<&]*)*")*)\s*(\/?)>)/y;
  while (text.slice(at).trim() !== "") {
    token.lastIndex = at;
    const match = token.exec(text);
    if (match === null) throw new Error(`malformed XML at ${text.slice(at, at + 60)}`);
    at = token.lastIndex;
    const [, closes, opens, attributeText, empty] = match;
    if (closes !== undefined) {
      if (open.pop()?.tag !== closes) throw new Error(`unexpected </${closes}>`);
      continue;
    }
    const attributes = Object.fromEntries(
      [...(attributeText ?? "").matchAll(/([\w]+)="([^"]*)"/g)].map(([, name, value]) => [name!, value!]),
    );
    const element: Element = { tag: opens!, attributes, children: [] };
    open.at(-1)!.children.push(element);
    if (empty !== "/") open.push(element);
  }
  if (open.length !== 1 || root.children.length !== 1) throw new Error("unbalanced XML");
  return root.children[0]!;
}

const child = (element: Element, tag: string) => element.children.find((other) => other.tag === tag);
const vector = (text: string | undefined) => (text ?? "").split(" ").map(Number);

const camera = {
  name: "wrist",
  link: "link7",
  poseParentOptical: {
    positionM: [0.075, 0, 0.025],
    quatXyzw: [0, 0, Math.SQRT1_2, Math.SQRT1_2],
  },
} as const;

describe("urdf", () => {
  const robot = readXml(urdf({ cameras: [camera] }));
  const joints = robot.children.filter((element) => element.tag === "joint");
  const links = robot.children.filter((element) => element.tag === "link");

  it("holds every link and joint of the data, in order", () => {
    expect(links.slice(0, 15).map((link) => link.attributes.name)).toEqual(
      [...XARM7_LINKS, ...GRIPPER_LINKS].map((link) => link.name),
    );
    const moving = joints.filter((joint) => joint.attributes.type === "revolute");
    expect(moving.map((joint) => joint.attributes.name)).toEqual(
      [...XARM7_JOINTS, ...GRIPPER_JOINTS].map((joint) => joint.name),
    );
  });

  it.each([...XARM7_JOINTS, ...GRIPPER_JOINTS])("gives $name the frames and limits of the data", (joint) => {
    const element = joints.find((other) => other.attributes.name === joint.name)!;
    const origin = child(element, "origin")!.attributes;
    vector(origin.xyz).forEach((value, axis) => {
      expect(value).toBeCloseTo(joint.originM[axis]!, 11);
    });
    vector(origin.rpy).forEach((value, axis) => {
      expect(value).toBeCloseTo(joint.rpyRad[axis]!, 11);
    });
    expect(vector(child(element, "axis")!.attributes.xyz)).toEqual([...joint.axis].map((value) => value + 0));
    const limit = child(element, "limit")!.attributes;
    expect([limit.lower, limit.upper, limit.effort, limit.velocity].map(Number)).toEqual([
      joint.positionMinRad,
      joint.positionMaxRad,
      joint.effortMaxNm,
      joint.velocityMaxRadPerS,
    ]);
    expect(child(element, "parent")!.attributes.link).toBe(joint.parent);
    expect(child(element, "child")!.attributes.link).toBe(joint.child);
  });

  it("is one tree: every link but the base is the child of exactly one joint", () => {
    const children = joints.map((joint) => child(joint, "child")!.attributes.link!);
    expect(new Set(children).size).toBe(children.length);
    expect([...children, "link_base"].sort()).toEqual(links.map((link) => link.attributes.name!).sort());
  });

  it("places the camera's optical frame on the flange", () => {
    const joint = joints.find((other) => child(other, "child")!.attributes.link === opticalFrame("wrist"))!;
    expect(child(joint, "parent")!.attributes.link).toBe("link7");
    const origin = child(joint, "origin")!.attributes;
    expect(vector(origin.xyz)).toEqual([0.075, 0, 0.025]);
    const turned = rotate(quatFromRpy(...(vector(origin.rpy) as [number, number, number])), [1, 0, 0]);
    expect(turned[1]).toBeCloseTo(1, 9);
  });

  it("places a camera that looks on in the base", () => {
    const beside = { ...camera, name: "beside", link: "link_base" };
    const { children } = readXml(urdf({ cameras: [camera, beside] }));
    const parents = children
      .filter((one) => child(one, "child")?.attributes.link?.endsWith("_color_optical_frame"))
      .map((one) => child(one, "parent")!.attributes.link);
    expect(parents).toEqual(["link7", "link_base"]);
  });

  it("lays a capsule's cylinder along its axis", () => {
    const link4 = links.find((link) => link.attributes.name === "link4")!;
    const cylinder = child(link4, "collision")!;
    const origin = child(cylinder, "origin")!.attributes;
    const axis = rotate(quatFromRpy(...(vector(origin.rpy) as [number, number, number])), [0, 0, 1]);
    const lengthM = Math.hypot(0.0575, 0.18);
    expect(axis[0]).toBeCloseTo(0.0575 / lengthM, 9);
    expect(axis[1]).toBeCloseTo(-0.18 / lengthM, 9);
    expect(axis[2]).toBeCloseTo(0, 9);
  });

  it("prefixes the link that carries a camera, but not the camera, whose name is its own in the cell", () => {
    const poseParentOptical = { positionM: [0, 0, 0.1], quatXyzw: [0, 0, 0, 1] } as const;
    const text = urdf({
      framePrefix: "left_",
      cameras: [{ name: "wrist", link: "link7", poseParentOptical }],
    });
    const joint = readXml(text).children.find(
      (one) => one.tag === "joint" && child(one, "child")!.attributes.link === opticalFrame("wrist"),
    )!;
    expect(child(joint, "parent")!.attributes.link).toBe("left_link7");
    expect(text.match(/<link name="wrist_color_optical_frame"\/>/g)).toHaveLength(1);
  });

  it("prefixes frames but not joints, leaves out the gripper, and escapes names", () => {
    const text = urdf({ framePrefix: "left_", gripper: false, robotName: 'a "<b>&' });
    const element = readXml(text.replaceAll("&quot;", "").replaceAll("&lt;", "").replaceAll("&amp;", ""));
    expect(text).toContain('name="a &quot;&lt;b>&amp;"');
    expect(element.children.filter((other) => other.tag === "joint")).toHaveLength(7);
    expect(child(element, "link")!.attributes.name).toBe("left_link_base");
    expect(child(element, "joint")!.attributes.name).toBe("joint1");
  });
});
