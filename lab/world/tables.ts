/**
 * What can lie or stand on the arm's table: one row a kind. A row says how it becomes part of the model, how a scene of it
 * is drawn, where the scene puts its things, and how they look.
 */
import { BLOCKS_TABLE } from "./blocks.js";
import { FRIDGE_TABLE, type FridgeScene } from "./fridge.js";
import { FRUIT_TABLE, type FruitScene } from "./fruits.js";
import type { WorldModel } from "./model.js";
import type { Scene, SceneOptions, SceneRequest, TableName, Vec3 } from "./scene.js";

/** What a scene makes of a shape: its size as the shape's kind counts it, and its colour. */
export interface ShownThing {
  readonly sizeM: Vec3;
  readonly colour: Vec3;
}
/** A shape by its name; undefined: it is not there. */
export type NamedThing = [name: string, thing: ShownThing | undefined];

export interface TableKind<S> {
  /** Things that lie free; joints of things that stand. */
  readonly freeCount: number;
  readonly hingeCount: number;
  /** Pairs of bodies that never touch. */
  readonly apart: readonly (readonly [string, string])[];
  /** `holding` where fingers hold round things, or scenes change shapes beyond what they were compiled with. */
  readonly solver: "plain" | "holding";
  readonly xml: () => string;
  /** The same request and options always give the same scene. */
  readonly draw: (request: SceneRequest, options: SceneOptions) => S;
  /** Every shape that scenes change. */
  readonly shown: (scene: S) => NamedThing[];
  /** Puts what a scene has where it has it; looks names up once. */
  readonly placer: (world: WorldModel) => (scene: S) => void;
}

export type TableScene = Scene | FridgeScene | FruitScene;
type SceneOf<Name extends TableName> = Extract<TableScene, { props: Name }>;

const TABLES: { readonly [Name in TableName]: TableKind<SceneOf<Name>> } = {
  "reach-block": BLOCKS_TABLE,
  fridge: FRIDGE_TABLE,
  fruit: FRUIT_TABLE,
};

/** A kind takes scenes of its own name only, which `props` of world and scene are. */
export const tableOf = (name: TableName): TableKind<TableScene> => TABLES[name] as TableKind<TableScene>;
