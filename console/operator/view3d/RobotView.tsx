/** The three-dimensional view, loaded when it is first wanted. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { RobotDescription } from "../../../core/gateway/server.js";
import { kindOf } from "../../shared/joints.js";
import { useApp, useWant } from "../state/context.js";
import { colouring, colourOf } from "../state/theme.js";
import { useValue } from "../state/value.js";
import type { RobotScene, SceneColours } from "./scene.js";

const colours = (): SceneColours => ({
  ground: colourOf("--panel"),
  line: colourOf("--edge"),
  body: colourOf("--robot"),
  accent: colourOf("--accent"),
});
const VIEW_HZ = 25;

/** A new one only for another robot: a connection that comes back brings a new object, and building a scene takes long. */
export function RobotView({ robot }: { robot: RobotDescription }) {
  const robots = useValue(useApp().welcome)?.robots ?? [];
  const carried = robots.filter(({ mount }) => mount?.robot === robot.robot);
  return <View key={JSON.stringify([robot, carried])} robot={robot} carried={carried} />;
}

interface ViewProps {
  readonly robot: RobotDescription;
  /** On its flange. */
  readonly carried: readonly RobotDescription[];
}

function View({ robot, carried }: ViewProps) {
  const app = useApp();
  const canvas = useRef<HTMLCanvasElement>(null);
  const scene = useRef<RobotScene | undefined>(undefined);
  const [trouble, setTrouble] = useState("");
  const [isSlow, setSlow] = useState(false);
  const isHeld = useValue(app.drive.isHeld);
  const hasWorkspace = kindOf(robot) === "arm";
  useWant({ telemetryHz: VIEW_HZ }, "view");

  useEffect(() => {
    const undo: (() => void)[] = [];
    let isClosed = false;
    const open = async () => {
      const { RobotScene } = await import("./scene.js");
      const target = canvas.current;
      if (isClosed || target === null) return;
      const made = new RobotScene(target, robot, carried, colours(), app.clock, () => setSlow(true));
      scene.current = made;
      made.setStill(app.drive.isHeld.current);
      const observer = new ResizeObserver(() =>
        made.resize(target.clientWidth, target.clientHeight, devicePixelRatio),
      );
      observer.observe(target);
      undo.push(
        () => observer.disconnect(),
        app.onTelemetry(() => show(made)),
        () => made.close(),
      );
      show(made);
    };
    const show = (made: RobotScene) => {
      const state = app.newest?.robots[robot.robot];
      if (state === undefined) return;
      const theirs = carried.flatMap(({ robot: name }) => {
        const its = app.newest?.robots[name];
        return its === undefined ? [] : [[name, its] as const];
      });
      const { teleop } = app;
      const target = teleop.current?.robot === robot.robot ? teleop.current.target : null;
      made.show({ ...state, toolM: state.tool?.positionM, target, carried: new Map(theirs) });
    };
    open().catch(() => setTrouble("This browser cannot draw in three dimensions (WebGL is off)."));
    return () => {
      isClosed = true;
      for (const one of undo) one();
      scene.current = undefined;
    };
  }, [app]);

  const now = useValue(colouring);
  useEffect(() => scene.current?.setColours(colours()), [now]);
  useEffect(() => scene.current?.setStill(isHeld), [isHeld]);
  return (
    <figure class="view3d">
      <canvas
        ref={canvas}
        role="img"
        aria-label={`${robot.robot} in three dimensions: measured pose, sent pose${hasWorkspace ? ", workspace" : ""}`}
      />
      {trouble !== "" && <strong class="word">{trouble}</strong>}
      <figcaption>
        <span>
          {isSlow && isHeld ? `${robot.robot} (slow graphics: stands still while you drive)` : robot.robot}
        </span>
        <span class="legend">
          <i class="measured" /> measured <i class="sent" /> sent
          {hasWorkspace && (
            <>
              {" "}
              <i class="edge" /> workspace
            </>
          )}
        </span>
      </figcaption>
    </figure>
  );
}
