/**
 * What is seen in the headset: a board with the camera's picture and the panel, the person's hands, and a floor for
 * orientation. Metres, WebXR's axes. In passthrough there is no floor, and the board stands beside the robot.
 */
import {
  CanvasTexture,
  Color,
  GridHelper,
  Group,
  InstancedMesh,
  LinearMipmapLinearFilter,
  Matrix4,
  Mesh,
  MeshBasicMaterial,
  PerspectiveCamera,
  PlaneGeometry,
  Scene,
  SphereGeometry,
  SRGBColorSpace,
  WebGLRenderer,
} from "three";
import { type HandPose, NUMBERS_PER_HAND_JOINT, type TrackedPose } from "../../core/teleop/pose.js";
import { CameraPicture } from "./cameraPicture.js";
import { drawPanel, PANEL_HEIGHT_PX, PANEL_WIDTH_PX } from "./panelCanvas.js";
import { type PanelModel, PICTURE_STALE_MS } from "./panelModel.js";

const PANEL_WIDTH_M = 0.8;
const PANEL_HEIGHT_M = (PANEL_WIDTH_M * PANEL_HEIGHT_PX) / PANEL_WIDTH_PX;
const PICTURE_WIDTH_M = 1.3;
const GAP_M = 0.05;
const DISTANCE_M = 1.5;
/** Middle of the board below the eyes [m]: heads are held a little down. */
const BELOW_EYES_M = 0.15;
/** In passthrough the board stands this far to the left of straight ahead, where the robot is [rad]. */
const ASIDE_RAD = 0.75;
/** Of the resolution that the headset proposes, which is below that of its display. */
const SHARPNESS = 1.25;
/** The panel is seen nearly from the front. */
const ANISOTROPY = 4;
const MARKS_MAX = 60;
const GRIP_RADIUS_M = 0.025;
/** Thinner than the finger, so that the bones are seen rather than a glove. */
const JOINT_SHARE = 0.6;
const FULL = new Color(1, 1, 1);
const DIMMED = new Color(0.3, 0.3, 0.3);

export class HeadsetView {
  readonly renderer: WebGLRenderer;
  readonly picture: CameraPicture;
  readonly #scene = new Scene();
  readonly #eye = new PerspectiveCamera(60, 1, 0.05, 30);
  readonly #board = new Group();
  readonly #pictureMesh: Mesh<PlaneGeometry, MeshBasicMaterial>;
  readonly #marks = new InstancedMesh(new SphereGeometry(1, 12, 8), new MeshBasicMaterial(), MARKS_MAX);
  readonly #context: CanvasRenderingContext2D;
  readonly #panelTexture: CanvasTexture;
  readonly #isPassthrough: boolean;
  #drawn = "";
  #isPlaced = false;

  /** @param isDrawnBySoftware where a computer without a headset draws, smoothness costs more than it gives */
  constructor(isPassthrough: boolean, isDrawnBySoftware: boolean, nowMs: () => number) {
    this.#isPassthrough = isPassthrough;
    this.renderer = new WebGLRenderer({ antialias: !isDrawnBySoftware, alpha: isPassthrough });
    this.renderer.xr.enabled = true;
    this.renderer.xr.setReferenceSpaceType("local-floor");
    // The scene is next to nothing: spend the headset's power on type that is sharp to the edges.
    this.renderer.xr.setFoveation(0);
    if (!isDrawnBySoftware) this.renderer.xr.setFramebufferScaleFactor(SHARPNESS);
    this.picture = new CameraPicture(nowMs);

    const canvas = document.createElement("canvas");
    canvas.width = PANEL_WIDTH_PX;
    canvas.height = PANEL_HEIGHT_PX;
    this.#context = canvas.getContext("2d")!;
    this.#panelTexture = new CanvasTexture(canvas);
    this.#panelTexture.colorSpace = SRGBColorSpace;
    this.#panelTexture.minFilter = LinearMipmapLinearFilter;
    this.#panelTexture.anisotropy = isDrawnBySoftware ? 1 : ANISOTROPY;

    const panel = new Mesh(
      new PlaneGeometry(PANEL_WIDTH_M, PANEL_HEIGHT_M),
      new MeshBasicMaterial({ map: this.#panelTexture }),
    );
    panel.position.x = (PICTURE_WIDTH_M + GAP_M) / 2;
    this.#pictureMesh = new Mesh(
      new PlaneGeometry(PICTURE_WIDTH_M, 1),
      new MeshBasicMaterial({ color: 0x10161d }),
    );
    this.#pictureMesh.position.x = -(PANEL_WIDTH_M + GAP_M) / 2;
    this.#pictureMesh.scale.y = PICTURE_WIDTH_M * 0.75;
    this.#board.add(panel, this.#pictureMesh);
    this.#marks.count = 0;
    this.#marks.frustumCulled = false;
    this.#scene.add(this.#board, this.#marks);
    if (!isPassthrough) {
      this.#scene.background = new Color(0x0a0e13);
      this.#scene.add(new GridHelper(8, 16, 0x2c3a48, 0x18212b));
    }
  }

  /** Next frame the board comes to where the person looks. */
  bringBoard(): void {
    this.#isPlaced = false;
  }

  /** Draws the panel anew when it says something else; seldom more than a few times a second. */
  showPanel(model: PanelModel): void {
    const text = JSON.stringify(model);
    if (text === this.#drawn) return;
    this.#drawn = text;
    drawPanel(this.#context, model);
    this.#panelTexture.needsUpdate = true;
  }

  /** @param pictureAgeMs undefined = there is none */
  draw(head: TrackedPose | null, hands: readonly HandPose[], pictureAgeMs: number | undefined): void {
    if (!this.#isPlaced && head !== null) this.#place(head);
    this.#showPicture(pictureAgeMs);
    this.#showHands(hands);
    this.renderer.render(this.#scene, this.#eye);
  }

  dispose(): void {
    this.renderer.setAnimationLoop(null);
    this.picture.texture.dispose();
    this.#panelTexture.dispose();
    this.renderer.dispose();
    this.renderer.domElement.remove();
  }

  #place({ positionM, quatXyzw: [x, y, z, w] }: TrackedPose): void {
    // Heading of -z, the direction of sight, seen from above.
    const forwardX = -2 * (x * z + w * y);
    const forwardZ = -(1 - 2 * (x * x + y * y));
    const yawRad = Math.atan2(-forwardX, -forwardZ) + (this.#isPassthrough ? ASIDE_RAD : 0);
    this.#board.position.set(
      positionM[0] - DISTANCE_M * Math.sin(yawRad),
      positionM[1] - BELOW_EYES_M,
      positionM[2] - DISTANCE_M * Math.cos(yawRad),
    );
    this.#board.rotation.y = yawRad;
    this.#isPlaced = true;
  }

  #showPicture(ageMs: number | undefined): void {
    const { material, scale } = this.#pictureMesh;
    const aspect = this.picture.aspect;
    const map = ageMs !== undefined && aspect !== undefined ? this.picture.texture : null;
    if (material.map !== map) {
      material.map = map;
      material.needsUpdate = true;
    }
    if (map === null) material.color.set(0x10161d);
    else material.color.copy(ageMs !== undefined && ageMs > PICTURE_STALE_MS ? DIMMED : FULL);
    if (aspect !== undefined) scale.y = PICTURE_WIDTH_M / aspect;
  }

  /** A ball for each grip, a small one for each joint of a bare hand. */
  #showHands(hands: readonly HandPose[]): void {
    const at = new Matrix4();
    let count = 0;
    const mark = (x: number, y: number, z: number, radiusM: number): void => {
      if (count < MARKS_MAX)
        this.#marks.setMatrixAt(count++, at.makeScale(radiusM, radiusM, radiusM).setPosition(x, y, z));
    };
    for (const { pose, joints, tracked } of hands) {
      if (!tracked || pose === null) continue;
      if (joints === null) mark(...pose.positionM, GRIP_RADIUS_M);
      for (let joint = 0; joints !== null && joint < joints.length; joint += NUMBERS_PER_HAND_JOINT)
        mark(
          joints[joint]!,
          joints[joint + 1]!,
          joints[joint + 2]!,
          JOINT_SHARE * joints[joint + 7]! || 0.006,
        );
    }
    this.#marks.count = count;
    this.#marks.instanceMatrix.needsUpdate = true;
  }

  /** Colour of the hands: what the robot does with them. */
  colourHands(colour: number): void {
    this.#marks.material.color.set(colour);
  }
}
