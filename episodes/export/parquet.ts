/** Parquet files that grow: rows are kept for a row group, groups go to disk, and only the footer stays in memory. */
import { type FileHandle, open } from "node:fs/promises";
import { ByteWriter, ParquetWriter, type SchemaElement } from "hyparquet-writer";

export type Scalar = "FLOAT" | "DOUBLE" | "INT32" | "INT64" | "UTF8" | "BOOLEAN";
/** `list`: of any depth. `image`: a file and its name, as Hugging Face `datasets` embeds pictures. */
export type ColumnType =
  | { readonly kind: "scalar"; readonly of: Scalar }
  | { readonly kind: "list"; readonly of: Scalar; readonly depth: number }
  | { readonly kind: "image" };

export const scalar = (of: Scalar): ColumnType => ({ kind: "scalar", of });
export const list = (of: Scalar, depth = 1): ColumnType => ({ kind: "list", of, depth });

export type Cell = number | bigint | string | boolean | null | readonly Cell[] | EmbeddedImage;
export interface EmbeddedImage {
  readonly bytes: Uint8Array;
  readonly path: string;
}
export type Row = Readonly<Record<string, Cell>>;

export interface ParquetOptions {
  readonly metadata?: Readonly<Record<string, string>>;
  /** A row group is written when it has so many rows, or so many bytes of embedded images. */
  readonly groupRows?: number;
  readonly groupImageBytes?: number;
}

/** Numbers compress well in groups of this size, and a group of many columns still takes little memory. */
const GROUP_ROWS = 10_000;
const GROUP_IMAGE_BYTES = 16 * 1024 * 1024;

export class ParquetFile {
  readonly #writer: ParquetWriter;
  #rows: Row[] = [];
  #imageBytes = 0;

  private constructor(
    private readonly columns: Readonly<Record<string, ColumnType>>,
    private readonly bytes: FileBytes,
    private readonly options: ParquetOptions,
  ) {
    this.#writer = new ParquetWriter({
      writer: bytes,
      schema: schemaOf(columns),
      kvMetadata: Object.entries(options.metadata ?? {}).map(([key, value]) => ({ key, value })),
      createdBy: "cerebellum",
    });
  }

  static async create(
    file: string,
    columns: Readonly<Record<string, ColumnType>>,
    options: ParquetOptions = {},
  ): Promise<ParquetFile> {
    return new ParquetFile(columns, new FileBytes(await open(file, "wx")), options);
  }

  /** On disk so far and, roughly, still to come: numbers count eight bytes. */
  get sizeBytes(): number {
    return this.bytes.offset + this.#imageBytes + this.#rows.length * this.#rowBytes();
  }

  async append(row: Row): Promise<void> {
    this.#rows.push(row);
    for (const cell of Object.values(row)) if (isImage(cell)) this.#imageBytes += cell.bytes.length;
    const { groupRows = GROUP_ROWS, groupImageBytes = GROUP_IMAGE_BYTES } = this.options;
    if (this.#rows.length >= groupRows || this.#imageBytes >= groupImageBytes) await this.#flush();
  }

  async close(): Promise<void> {
    try {
      await this.#flush();
      await this.#writer.finish();
    } finally {
      await this.bytes.handle.close();
    }
  }

  async #flush(): Promise<void> {
    const rows = this.#rows;
    if (rows.length === 0) return;
    [this.#rows, this.#imageBytes] = [[], 0];
    await this.#writer.write({
      columnData: Object.entries(this.columns).map(([name, { kind }]) => ({
        name,
        data: rows.map((row) => row[name] ?? null),
        // Pictures are compressed already, and all different.
        ...(kind === "image"
          ? { codec: "UNCOMPRESSED" as const, encoding: "PLAIN" as const, statistics: false }
          : {}),
      })),
      rowGroupSize: rows.length,
    });
  }

  #rowBytes(): number {
    const first = this.#rows[0];
    if (first === undefined) return 0;
    return Object.values(first).reduce<number>((sum, cell) => sum + 8 * countOf(cell), 0);
  }
}

/** Where the writer puts bytes: memory until the end of a row group, then the file. */
class FileBytes extends ByteWriter {
  constructor(readonly handle: FileHandle) {
    super();
  }

  async flush(): Promise<void> {
    const bytes = this.getBytes();
    for (let done = 0; done < bytes.length; )
      done += (await this.handle.write(bytes, done, bytes.length - done)).bytesWritten;
    this.index = 0;
  }

  override finish(): Promise<void> {
    return this.flush();
  }
}

const isImage = (cell: Cell): cell is EmbeddedImage =>
  typeof cell === "object" && cell !== null && "bytes" in cell;
const countOf = (cell: Cell): number =>
  Array.isArray(cell) ? cell.reduce<number>((sum, inner) => sum + countOf(inner), 0) : 1;

function schemaOf(columns: Readonly<Record<string, ColumnType>>): SchemaElement[] {
  const root = { name: "schema", num_children: Object.keys(columns).length };
  return [root, ...Object.entries(columns).flatMap(([name, type]) => columnSchema(name, type))];
}

function columnSchema(name: string, type: ColumnType): SchemaElement[] {
  if (type.kind === "scalar") return [leaf(name, type.of)];
  if (type.kind === "image") {
    return [
      { name, repetition_type: "OPTIONAL", num_children: 2 },
      { name: "bytes", type: "BYTE_ARRAY", repetition_type: "OPTIONAL" },
      leaf("path", "UTF8"),
    ];
  }
  // Three levels a list, as the Parquet format's LogicalTypes.md has it.
  const levels = Array.from({ length: type.depth }, (_, level): SchemaElement[] => [
    {
      name: level === 0 ? name : "element",
      repetition_type: "OPTIONAL",
      num_children: 1,
      converted_type: "LIST",
      logical_type: { type: "LIST" },
    },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
  ]);
  return [...levels.flat(), leaf("element", type.of)];
}

const leaf = (name: string, of: Scalar): SchemaElement =>
  of === "UTF8"
    ? { name, type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" }
    : { name, type: of, repetition_type: "OPTIONAL" };
