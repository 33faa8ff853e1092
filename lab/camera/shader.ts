/**
 * The second pass: light on every pixel. Each point has ambient light that is a little brighter from above, one
 * parallel light with soft-edged shadows, a colour or a pattern, and pixel noise. Colours are linear; the result is
 * 255 times their product, rounded and clamped.
 */
import { invariant } from "../../core/errors.js";
import type { Intrinsics } from "../world/mount.js";
import type { Random } from "../world/random.js";
import type { Finish, SceneLook } from "../world/scene.js";
import { DISTRACTORS_MAX } from "../world/scene.js";
import type { DepthBuffer } from "./depthBuffer.js";
import { NoiseTile, type PatternTile, patternTile, TILE_PX } from "./patterns.js";
import { CELL_PX, type ShadowMap } from "./shadowMap.js";
import { placeInView, type Shape, type ShapePoses, type View } from "./shapes.js";

/** Parameters of one surface, in a flat table so that the pixel loop reads plain numbers. */
const STRIDE = 24;
const [AMBIENT, DIFFUSE, RED, RED_SPAN, U, V, START, AXIS, INVERSE_LENGTH2] = [0, 1, 2, 5, 8, 12, 8, 11, 14];
const [PLANAR, CURVED] = [0, 1];
/** Pixels between exact positions on a planar surface. */
const SEGMENT_PX = 16;
/** The tile of a surface of one colour. */
const NO_TILE: PatternTile = new Uint8Array(1);
/** Share of the ambient light that comes from above. */
const SKY = 0.18;
/** Keeps pattern coordinates positive, where truncation is flooring. */
const FAR_TILES = TILE_PX * 1024;
/** Distance towards the light that a point must lie behind a body's far side to be in its shadow [m]. */
const SHADOW_BIAS_M = 0.001;

export class Shader {
  readonly #shapes: readonly Shape[];
  readonly #kinds: Uint8Array;
  readonly #table: Float64Array;
  readonly #colours: Float64Array;
  readonly #tiles: PatternTile[];
  readonly #finishes: (Finish | undefined)[];
  readonly #surfaceColours: SurfaceColours[];
  readonly #frame = new Float64Array(12);
  readonly #shadow = new Float64Array(12);
  readonly #noise = new NoiseTile();
  #noiseValues: Int8Array = this.#noise.none;
  readonly #lightView = new Float64Array(3);
  readonly #upView = new Float64Array(3);
  readonly #wall = new Float64Array(3);
  readonly #run: Run = emptyRun();
  #scene: SceneLook | undefined;

  constructor(shapes: readonly Shape[], surfaceCount: number) {
    invariant(surfaceCount < 65536 && DISTRACTORS_MAX < 100, "surface numbers fit 16 bits");
    this.#shapes = shapes;
    this.#kinds = new Uint8Array(surfaceCount);
    this.#table = new Float64Array(STRIDE * surfaceCount);
    this.#colours = new Float64Array(3 * surfaceCount);
    this.#tiles = new Array(surfaceCount).fill(NO_TILE);
    this.#finishes = new Array(surfaceCount).fill(undefined);
    this.#surfaceColours = Array.from({ length: surfaceCount }, () => surfaceColours(1));
    for (const shape of shapes) this.setColour(shape, shape.source.colour);
  }

  setColour(shape: Shape, colour: readonly [number, number, number]): void {
    for (let surface = 0; surface < shape.surfaceCount; surface++) {
      this.#colours.set(colour, 3 * (shape.firstSurface + surface));
    }
  }

  setScene(scene: SceneLook): void {
    this.#scene = scene;
    for (const shape of this.#shapes) {
      if (shape.source.name === "floor") this.#setFinish(shape, scene.floor);
      if (shape.source.name === "table") this.#setFinish(shape, scene.table);
    }
  }

  #setFinish(shape: Shape, finish: Finish): void {
    this.setColour(shape, finish.colourA);
    // Of a box only its top, face 5, carries the pattern.
    const top = shape.firstSurface + shape.surfaceCount - 1;
    const tile = patternTile(finish.pattern);
    this.#tiles[top] = tile ?? NO_TILE;
    this.#surfaceColours[top] = surfaceColours(256);
    this.#finishes[top] = tile === undefined ? undefined : finish;
  }

  shade(
    buffer: DepthBuffer,
    view: View,
    intrinsics: Intrinsics,
    poses: ShapePoses,
    shadowMap: ShadowMap | undefined,
    rgb: Uint8ClampedArray,
    noise: Random | undefined,
  ): void {
    const scene = this.#scene!;
    for (const shape of this.#shapes) if (!shape.hidden) this.#prepare(shape, view, poses, scene);
    if (shadowMap !== undefined) this.#prepareShadow(view, shadowMap);
    this.#shadePixels(buffer, view, intrinsics, shadowMap, rgb, scene.noise ? noise : undefined);
  }

  #prepare(shape: Shape, view: View, poses: ShapePoses, { light }: SceneLook): void {
    const frame = this.#frame;
    placeInView(view, poses, shape.index, frame);
    for (let face = 0; face < shape.surfaceCount; face++) {
      const surface = shape.firstSurface + face;
      const o = STRIDE * surface;
      const table = this.#table;
      for (let channel = 0; channel < 3; channel++) {
        table[o + RED_SPAN + channel] = 0;
        table[o + RED + channel] = 255 * light.tint[channel]! * this.#colours[3 * surface + channel]!;
      }
      if (shape.source.kind === "capsule") {
        this.#kinds[surface] = CURVED;
        const [, halfM] = shape.sizeM;
        for (let axis = 0; axis < 3; axis++) {
          const along = frame[3 * axis + 2]! * halfM;
          table[o + START + axis] = frame[9 + axis]! - along;
          table[o + AXIS + axis] = 2 * along;
        }
        table[o + INVERSE_LENGTH2] = halfM === 0 ? 0 : 1 / (4 * halfM * halfM);
        continue;
      }
      const normals = shape.mesh.normals;
      const m = 9 * shape.index;
      const r = poses.geomRotation;
      const [nx, ny, nz] = [normals[3 * face]!, normals[3 * face + 1]!, normals[3 * face + 2]!];
      const wx = r[m]! * nx + r[m + 1]! * ny + r[m + 2]! * nz;
      const wy = r[m + 3]! * nx + r[m + 4]! * ny + r[m + 5]! * nz;
      const wz = r[m + 6]! * nx + r[m + 7]! * ny + r[m + 8]! * nz;
      const [lx, ly, lz] = light.direction;
      table[o + AMBIENT] = light.ambient * (1 - SKY + SKY * wz);
      table[o + DIFFUSE] = light.diffuse * Math.max(0, wx * lx + wy * ly + wz * lz);
      const finish = this.#finishes[surface];
      this.#kinds[surface] = PLANAR;
      if (finish !== undefined) this.#preparePattern(o, finish, light.tint);
      const brightest = table[o + AMBIENT]! + table[o + DIFFUSE]!;
      const { lit, dark } = this.#surfaceColours[surface]!;
      this.#fillColours(lit, o, brightest);
      this.#fillColours(dark, o, brightest - table[o + DIFFUSE]! * light.shadowDepth);
    }
  }

  /** u = U . (point in the view, 1) in pattern pixels, v likewise; the shape's frame in the view is in `#frame`. */
  #preparePattern(o: number, finish: Finish, tint: readonly [number, number, number]): void {
    const table = this.#table;
    const frame = this.#frame;
    const scale = TILE_PX / finish.repeatM;
    const [sin, cos] = [Math.sin(finish.rotationRad) * scale, Math.cos(finish.rotationRad) * scale];
    for (const [start, alongX, alongY, offset] of [
      [U, cos, sin, finish.offset[0]],
      [V, -sin, cos, finish.offset[1]],
    ] as const) {
      let constant = FAR_TILES + offset * TILE_PX;
      for (let axis = 0; axis < 3; axis++) {
        const weight = alongX * frame[3 * axis]! + alongY * frame[3 * axis + 1]!;
        table[o + start + axis] = weight;
        constant -= weight * frame[9 + axis]!;
      }
      table[o + start + 3] = constant;
    }
    for (let channel = 0; channel < 3; channel++) {
      const difference = finish.colourB[channel]! - finish.colourA[channel]!;
      table[o + RED_SPAN + channel] = tint[channel]! * difference; // times 255, over the tile's 255
    }
  }

  /** Point in the view to shadow-map pixels and to distance towards the light: three rows of four. */
  #prepareShadow({ axes, originM }: View, map: ShadowMap): void {
    const shadow = this.#shadow;
    for (let row = 0; row < 3; row++) {
      const scale = row < 2 ? map.pxPerM : 1;
      const [lx, ly, lz] = [map.axes[3 * row]!, map.axes[3 * row + 1]!, map.axes[3 * row + 2]!];
      for (let axis = 0; axis < 3; axis++) {
        shadow[4 * row + axis] =
          scale * (lx * axes[3 * axis]! + ly * axes[3 * axis + 1]! + lz * axes[3 * axis + 2]!);
      }
      const offset = row === 0 ? map.offsetXPx : row === 1 ? map.offsetYPx : 0;
      shadow[4 * row + 3] = scale * (lx * originM[0]! + ly * originM[1]! + lz * originM[2]!) + offset;
    }
  }

  /** Row by row, in runs of pixels that show the same surface: each kind has its own short loop. */
  #shadePixels(
    buffer: DepthBuffer,
    view: View,
    intrinsics: Intrinsics,
    shadowMap: ShadowMap | undefined,
    rgb: Uint8ClampedArray,
    noise: Random | undefined,
  ): void {
    const { widthPx, heightPx, focalPx, centreXPx, centreYPx } = intrinsics;
    const surfaces = buffer.surface;
    const kinds = this.#kinds;
    const run = this.#run;
    run.nearness = buffer.nearness;
    run.rgb = rgb;
    run.map = shadowMap?.buffer.nearness ?? NO_MAP;
    run.nearby = shadowMap?.nearby ?? NOTHING_NEARBY;
    run.mapPx = shadowMap?.sizePx ?? 0;
    run.bias = SHADOW_BIAS_M + 0.5 / (shadowMap?.pxPerM ?? 1);
    run.perPx = 1 / focalPx;
    this.#noiseValues = noise === undefined ? this.#noise.none : this.#noise.values;
    this.#prepareLight(view);
    for (let row = 0; row < heightPx; row++) {
      const start = row * widthPx;
      run.rayY = (row + 0.5 - centreYPx) / focalPx;
      const noiseStart = noise === undefined ? 0 : this.#noise.start(noise, 3 * widthPx);
      for (let column = 0; column < widthPx; ) {
        const surface = surfaces[start + column]!;
        let end = column + 1;
        while (end < widthPx && surfaces[start + end] === surface) end++;
        run.first = start + column;
        run.end = start + end;
        run.rayX = (column + 0.5 - centreXPx) / focalPx;
        run.noiseAt = noiseStart + 3 * column;
        if (surface === 0) this.#shadeWall();
        else if (kinds[surface] === CURVED) this.#shadeCurved(surface * STRIDE);
        else this.#shadePlanar(surface * STRIDE, this.#tiles[surface]!, this.#surfaceColours[surface]!);
        column = end;
      }
    }
  }

  #prepareLight({ axes }: View): void {
    const { light, wall } = this.#scene!;
    const [x, y, z] = light.direction;
    for (let axis = 0; axis < 3; axis++) {
      this.#lightView[axis] = axes[3 * axis]! * x + axes[3 * axis + 1]! * y + axes[3 * axis + 2]! * z;
      this.#upView[axis] = axes[3 * axis + 2]!;
      this.#wall[axis] = 255 * light.tint[axis]! * wall[axis]! * (light.ambient + 0.5 * light.diffuse);
    }
  }

  #shadeWall(): void {
    const { first, end, rgb } = this.#run;
    const noise = this.#noiseValues;
    const red = this.#wall[0]!;
    const green = this.#wall[1]!;
    const blue = this.#wall[2]!;
    let n = this.#run.noiseAt;
    for (let byte = 3 * first; byte < 3 * end; byte += 3, n += 3) {
      rgb[byte] = ((red + 0.5) | 0) + noise[n]!;
      rgb[byte + 1] = ((green + 0.5) | 0) + noise[n + 1]!;
      rgb[byte + 2] = ((blue + 0.5) | 0) + noise[n + 2]!;
    }
  }

  /**
   * A flat surface, in segments of a few pixels: where it is in its pattern and in the shadow map is computed at both
   * ends and goes linearly between, and a segment with nothing near it in the map needs no test at each pixel.
   */
  #shadePlanar(o: number, tile: PatternTile, { lit, dark: inShadow }: SurfaceColours): void {
    const { first, end, nearness, rgb, perPx, rayY, map, nearby, mapPx, bias } = this.#run;
    const table = this.#table;
    const s = this.#shadow;
    const noise = this.#noiseValues;
    const patterned = tile !== NO_TILE;
    const shadowed = mapPx > 0 && table[o + DIFFUSE]! > 0;
    const cells = mapPx / CELL_PX;
    let n = this.#run.noiseAt;
    let rayA = this.#run.rayX;
    for (let start = first; start < end; ) {
      const stop = Math.min(end, start + SEGMENT_PX);
      const rayB = rayA + (stop - start - 1) * perPx;
      const zA = 1 / nearness[start]!;
      const zB = 1 / nearness[stop - 1]!;
      const share = stop - start > 1 ? 1 / (stop - start - 1) : 0;
      // Pattern position in 65536ths of a tile pixel, from the start of a tile.
      let a = 0;
      let b = 0;
      let aStep = 0;
      let bStep = 0;
      if (patterned) {
        const aRow = table[o + U + 1]! * rayY + table[o + U + 2]!;
        const bRow = table[o + V + 1]! * rayY + table[o + V + 2]!;
        const aA = (aRow + table[o + U]! * rayA) * zA + table[o + U + 3]!;
        const bA = (bRow + table[o + V]! * rayA) * zA + table[o + V + 3]!;
        const aB = (aRow + table[o + U]! * rayB) * zB + table[o + U + 3]!;
        const bB = (bRow + table[o + V]! * rayB) * zB + table[o + V + 3]!;
        a = ((aA - TILE_PX * Math.floor(aA / TILE_PX)) * 65536) | 0;
        b = ((bA - TILE_PX * Math.floor(bA / TILE_PX)) * 65536) | 0;
        aStep = ((aB - aA) * share * 65536) | 0;
        bStep = ((bB - bA) * share * 65536) | 0;
      }
      let test = false;
      let u = 0;
      let v = 0;
      let at = 0;
      let uStep = 0;
      let vStep = 0;
      let atStep = 0;
      if (shadowed) {
        const uRow = s[1]! * rayY + s[2]!;
        const vRow = s[5]! * rayY + s[6]!;
        const atRow = s[9]! * rayY + s[10]!;
        u = (uRow + s[0]! * rayA) * zA + s[3]! - 0.5;
        v = (vRow + s[4]! * rayA) * zA + s[7]! - 0.5;
        at = (atRow + s[8]! * rayA) * zA + s[11]! + bias;
        const uSpan = (uRow + s[0]! * rayB) * zB + s[3]! - 0.5 - u;
        const vSpan = (vRow + s[4]! * rayB) * zB + s[7]! - 0.5 - v;
        uStep = uSpan * share;
        vStep = vSpan * share;
        atStep = ((atRow + s[8]! * rayB) * zB + s[11]! + bias - at) * share;
        const uMiddle = u + uSpan / 2;
        const vMiddle = v + vSpan / 2;
        const inside = uMiddle >= 0 && vMiddle >= 0 && uMiddle < mapPx && vMiddle < mapPx;
        const short = Math.abs(uSpan) <= 2 * CELL_PX && Math.abs(vSpan) <= 2 * CELL_PX;
        test = !(
          inside &&
          short &&
          nearby[((vMiddle / CELL_PX) | 0) * cells + ((uMiddle / CELL_PX) | 0)] === 0
        );
      }
      for (let pixel = start; pixel < stop; pixel++, n += 3) {
        const mix = 3 * tile[(((b >> 16) & (TILE_PX - 1)) * TILE_PX) | ((a >> 16) & (TILE_PX - 1))]!;
        a += aStep;
        b += bStep;
        const byte = 3 * pixel;
        if (test) {
          let hidden = 0;
          if (u >= 0 && v >= 0 && u < mapPx - 1 && v < mapPx - 1) hidden = dark(map, mapPx, u, v, at);
          u += uStep;
          v += vStep;
          at += atStep;
          if (hidden > 0) {
            rgb[byte] = ((lit[mix]! + (inShadow[mix]! - lit[mix]!) * hidden + 0.5) | 0) + noise[n]!;
            rgb[byte + 1] =
              ((lit[mix + 1]! + (inShadow[mix + 1]! - lit[mix + 1]!) * hidden + 0.5) | 0) + noise[n + 1]!;
            rgb[byte + 2] =
              ((lit[mix + 2]! + (inShadow[mix + 2]! - lit[mix + 2]!) * hidden + 0.5) | 0) + noise[n + 2]!;
            continue;
          }
        }
        rgb[byte] = lit[mix]! + noise[n]!;
        rgb[byte + 1] = lit[mix + 1]! + noise[n + 1]!;
        rgb[byte + 2] = lit[mix + 2]! + noise[n + 2]!;
      }
      rayA = rayB + perPx;
      start = stop;
    }
  }

  /** Colour of each pattern value under one brightness. */
  #fillColours(out: Int16Array, o: number, brightness: number): void {
    const table = this.#table;
    for (let channel = 0; channel < 3; channel++) {
      const colour = table[o + RED + channel]!;
      const span = table[o + RED_SPAN + channel]!;
      for (let mix = 0; 3 * mix < out.length; mix++)
        out[3 * mix + channel] = ((colour + mix * span) * brightness + 0.5) | 0;
    }
  }

  #shadeCurved(o: number): void {
    const { first, end, nearness, rgb, perPx, rayY, map, nearby, mapPx, bias } = this.#run;
    const cells = mapPx / CELL_PX;
    const { ambient, diffuse, shadowDepth } = this.#scene!.light;
    const table = this.#table;
    const s = this.#shadow;
    const light = this.#lightView;
    const up = this.#upView;
    const noise = this.#noiseValues;
    let rayX = this.#run.rayX;
    let n = this.#run.noiseAt;
    for (let pixel = first; pixel < end; pixel++, n += 3, rayX += perPx) {
      const z = 1 / nearness[pixel]!;
      const x = rayX * z;
      const y = rayY * z;
      const dx = table[o + AXIS]!;
      const dy = table[o + AXIS + 1]!;
      const dz = table[o + AXIS + 2]!;
      const px = x - table[o + START]!;
      const py = y - table[o + START + 1]!;
      const pz = z - table[o + START + 2]!;
      let along = (px * dx + py * dy + pz * dz) * table[o + INVERSE_LENGTH2]!;
      along = Math.min(1, Math.max(0, along));
      const nx = px - along * dx;
      const ny = py - along * dy;
      const nz = pz - along * dz;
      const unit = 1 / Math.sqrt(nx * nx + ny * ny + nz * nz);
      let brightness = ambient * (1 - SKY + SKY * unit * (nx * up[0]! + ny * up[1]! + nz * up[2]!));
      const facing = unit * (nx * light[0]! + ny * light[1]! + nz * light[2]!);
      if (facing > 0) {
        let share = 1;
        if (mapPx > 0) {
          const u = s[0]! * x + s[1]! * y + s[2]! * z + s[3]! - 0.5;
          const v = s[4]! * x + s[5]! * y + s[6]! * z + s[7]! - 0.5;
          if (
            u >= 0 &&
            v >= 0 &&
            u < mapPx - 1 &&
            v < mapPx - 1 &&
            nearby[((v / CELL_PX) | 0) * cells + ((u / CELL_PX) | 0)] !== 0
          ) {
            share =
              1 - shadowDepth * dark(map, mapPx, u, v, s[8]! * x + s[9]! * y + s[10]! * z + s[11]! + bias);
          }
        }
        brightness += diffuse * facing * share;
      }
      const byte = 3 * pixel;
      rgb[byte] = ((table[o + RED]! * brightness + 0.5) | 0) + noise[n]!;
      rgb[byte + 1] = ((table[o + RED + 1]! * brightness + 0.5) | 0) + noise[n + 1]!;
      rgb[byte + 2] = ((table[o + RED + 2]! * brightness + 0.5) | 0) + noise[n + 2]!;
    }
  }
}

/** Colours (red, green, blue) of each pattern value, wholly lit and wholly in shadow; one value where plain. */
interface SurfaceColours {
  readonly lit: Int16Array;
  readonly dark: Int16Array;
}

const surfaceColours = (values: number): SurfaceColours => ({
  lit: new Int16Array(3 * values),
  dark: new Int16Array(3 * values),
});

/** What the loops above share: buffers of the picture, and the run of pixels at hand. */
interface Run {
  nearness: Float32Array;
  rgb: Uint8ClampedArray;
  map: Float32Array;
  nearby: Uint8Array;
  /** 0 without shadows. */
  mapPx: number;
  bias: number;
  /** Horizontal step of the ray from one pixel to the next, at depth 1. */
  perPx: number;
  first: number;
  end: number;
  rayX: number;
  rayY: number;
  noiseAt: number;
}

const NO_MAP = new Float32Array(0);
const NOTHING_NEARBY = new Uint8Array(0);

const emptyRun = (): Run => ({
  nearness: NO_MAP,
  rgb: new Uint8ClampedArray(0),
  map: NO_MAP,
  nearby: NOTHING_NEARBY,
  mapPx: 0,
  bias: 0,
  perPx: 0.5,
  first: 0,
  end: 0,
  rayX: 0.5,
  rayY: 0.5,
  noiseAt: 0,
});

/**
 * Share of the light that is kept away, 0 to 1, at map position (u, v) and distance `at` towards the light: the mean
 * of the four nearest places, weighted by closeness, so that edges of shadows are about one map pixel soft.
 */
function dark(map: Float32Array, mapPx: number, u: number, v: number, at: number): number {
  const i = u | 0;
  const j = v | 0;
  const texel = j * mapPx + i;
  const a = map[texel]! > at ? 1 : 0;
  const b = map[texel + 1]! > at ? 1 : 0;
  const c = map[texel + mapPx]! > at ? 1 : 0;
  const d = map[texel + mapPx + 1]! > at ? 1 : 0;
  const sum = a + b + c + d;
  if (sum === 0) return 0;
  if (sum === 4) return 1;
  const top = a + (b - a) * (u - i);
  return top + (c + (d - c) * (u - i) - top) * (v - j);
}
