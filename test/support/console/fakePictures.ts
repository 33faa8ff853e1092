/** Pictures that a made-up cell shows: a block on a table, and contact sheets. */
import sharp from "sharp";

/** Twelve pictures of a block that goes round on a table. */
export function drawPictures(colour: string, camera: number): Promise<Uint8Array[]> {
  return Promise.all(
    Array.from({ length: 12 }, (_, index) => {
      const angle = (index / 12) * 2 * Math.PI;
      const [x, y] = [160 + 70 * Math.cos(angle), 130 + 40 * Math.sin(angle)];
      return sharp(
        Buffer.from(
          `<svg xmlns="http://www.w3.org/2000/svg" width="320" height="240"><rect width="320" height="240" fill="#8d8778"/>` +
            `<rect y="60" width="320" height="180" fill="${colour}"/><rect x="${x - 14}" y="${y - 14}" width="28" height="28" fill="#c9a227"/>` +
            `<circle cx="${camera === 0 ? 160 : 90}" cy="215" r="34" fill="#d9dde0"/></svg>`,
        ),
      )
        .jpeg({ quality: 80 })
        .toBuffer();
    }),
  );
}

/** A contact sheet: six tinted tiles. */
export function drawSheet(path: string): Promise<Buffer> {
  const hue = [...path].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 360;
  const tiles = Array.from(
    { length: 6 },
    (_, index) =>
      `<rect x="${(index % 3) * 160}" y="${Math.floor(index / 3) * 120}" width="158" height="118" fill="hsl(${hue},18%,${30 + 6 * index}%)"/>` +
      `<circle cx="${(index % 3) * 160 + 40 + 14 * index}" cy="${Math.floor(index / 3) * 120 + 70}" r="14" fill="#c9a227"/>`,
  ).join("");
  return sharp(Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="480" height="240">${tiles}</svg>`))
    .png()
    .toBuffer();
}
