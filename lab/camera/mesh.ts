/**
 * MuJoCo's primitive shapes as triangles in their own frames. Flat shapes are cut into faces, each with one normal;
 * a capsule is one curved surface whose normals the shader computes from the axis. Triangles turn counter-clockwise
 * seen from outside.
 */
export interface Mesh {
  /** x y z a corner [m]. */
  readonly cornersM: Float64Array;
  /** Three corner numbers a triangle. */
  readonly triangles: Uint16Array;
  /** Face of each triangle: an index into `normals`, or 0 for a curved surface. */
  readonly faces: Uint8Array;
  /** x y z a face; empty for a curved surface. */
  readonly normals: Float64Array;
}

const QUAD = [0, 1, 2, 0, 2, 3];

/** Faces in the order -x +x -y +y -z +z. */
export function boxMesh(hx: number, hy: number, hz: number): Mesh {
  const half = [hx, hy, hz];
  const corners: number[] = [];
  const triangles: number[] = [];
  const faces: number[] = [];
  const normals: number[] = [];
  for (let axis = 0; axis < 3; axis++) {
    for (const sign of [-1, 1]) {
      const [u, v] = [(axis + 1) % 3, (axis + 2) % 3];
      const first = corners.length / 3;
      const turn = [
        [-1, -1],
        [1, -1],
        [1, 1],
        [-1, 1],
      ];
      for (const [p, q] of sign > 0 ? turn : turn.reverse()) {
        const corner = [0, 0, 0];
        corner[axis] = sign * half[axis]!;
        corner[u] = p! * half[u]!;
        corner[v] = q! * half[v]!;
        corners.push(...corner);
      }
      const face = normals.length / 3;
      normals.push(...[0, 1, 2].map((i) => (i === axis ? sign : 0)));
      triangles.push(...QUAD.map((corner) => first + corner));
      faces.push(face, face);
    }
  }
  return toMesh(corners, triangles, faces, normals);
}

/** One face in the plane z = 0, looking up. */
export function planeMesh(hx: number, hy: number): Mesh {
  return toMesh([-hx, -hy, 0, hx, -hy, 0, hx, hy, 0, -hx, hy, 0], QUAD, [0, 0], [0, 0, 1]);
}

/** Along z, from -half to +half, with round ends; a sphere when `halfLengthM` is 0. */
export function capsuleMesh(radiusM: number, halfLengthM: number, segments: number, rings: number): Mesh {
  // Circumscribed a little, so that the outline's mean radius is the true one.
  const radius = radiusM / Math.sqrt(Math.cos(Math.PI / segments));
  const profile: (readonly [number, number])[] = [];
  for (const end of [-1, 1]) {
    for (let ring = 0; ring <= rings; ring++) {
      const angle = (end < 0 ? ring - rings : ring) * (Math.PI / 2 / rings);
      profile.push([radius * Math.cos(angle), end * halfLengthM + radius * Math.sin(angle)]);
    }
  }
  const corners: number[] = [];
  for (const [r, z] of profile) {
    for (let i = 0; i < segments; i++) {
      const angle = (2 * Math.PI * i) / segments;
      corners.push(r * Math.cos(angle), r * Math.sin(angle), z);
    }
  }
  const triangles: number[] = [];
  for (let row = 0; row + 1 < profile.length; row++) {
    for (let i = 0; i < segments; i++) {
      const next = (i + 1) % segments;
      const [a, b] = [row * segments + i, row * segments + next];
      const [c, d] = [a + segments, b + segments];
      if (profile[row]![0] > 1e-9) triangles.push(a, b, d);
      if (profile[row + 1]![0] > 1e-9) triangles.push(a, d, c);
    }
  }
  return toMesh(corners, triangles, new Array(triangles.length / 3).fill(0), []);
}

const toMesh = (corners: number[], triangles: number[], faces: number[], normals: number[]): Mesh => ({
  cornersM: Float64Array.from(corners),
  triangles: Uint16Array.from(triangles),
  faces: Uint8Array.from(faces),
  normals: Float64Array.from(normals),
});
