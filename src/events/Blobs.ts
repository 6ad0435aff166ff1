/**
 * Bytes kept under their own digest: `<folder>/<2 hex>/<62 hex>`, a layout that older workspaces have too. Alone responsible for a blob
 * being whole on the disk before its name is given away, and for never handing out bytes that are not the ones that were named.
 */
import { createHash, randomBytes } from "node:crypto"
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync
} from "node:fs"
import { dirname, join } from "node:path"
import { Effect, Schema } from "effect"

export interface BlobName {
  readonly sha256: string
  readonly bytes: number
}

/** The file of this name holds other bytes. */
export class BlobCorrupt extends Schema.TaggedError<BlobCorrupt>()("BlobCorrupt", {
  sha256: Schema.String,
  actual: Schema.String,
  path: Schema.String
}) {
  override get message() {
    return `${this.path}: its bytes have the digest ${this.actual}: it was altered or is damaged`
  }
  get fix() {
    return "write the right bytes again, or restore the file from a backup"
  }
}

/** The bytes could not be written or read. */
export class BlobUnavailable extends Schema.TaggedError<BlobUnavailable>()("BlobUnavailable", {
  problem: Schema.String
}) {
  override get message() {
    return this.problem
  }
}

export interface Blobs {
  /** Durable when it answers. A file that is there and right stays as it is, a wrong one is repaired. */
  readonly write: (data: string | Uint8Array) => Effect.Effect<BlobName, BlobUnavailable>
  /** Null when there is none, or the name is no digest. */
  readonly read: (sha256: string) => Effect.Effect<Buffer | null, BlobCorrupt | BlobUnavailable>
}

/** contracts: senses and workflows 2.3 */
export const maxBlobBytes = 64 * 1024 * 1024

export const makeBlobs = (folder: string): Blobs => {
  const pathOf = (sha256: string) => join(folder, sha256.slice(0, 2), sha256.slice(2))
  return {
    write: (data) =>
      Effect.try({
        try: () => {
          const bytes = Buffer.from(data as Uint8Array)
          if (bytes.length > maxBlobBytes) throw new Error(`a blob of ${bytes.length} bytes is over 64 MiB`)
          const sha256 = digest(bytes)
          const path = pathOf(sha256)
          const existing = readIfThere(path)
          if (!existing || digest(existing) !== sha256) writeWhole(path, bytes)
          return { sha256, bytes: bytes.length }
        },
        catch: (error) => new BlobUnavailable({ problem: `a blob cannot be written: ${messageOf(error)}` })
      }),
    read: (name) =>
      Effect.suspend(() => {
        const sha256 = name.trim().toLowerCase()
        if (!/^[0-9a-f]{64}$/.test(sha256)) return Effect.succeed(null)
        const path = pathOf(sha256)
        return Effect.flatMap(
          Effect.try({
            try: () => readIfThere(path),
            catch: (error) => new BlobUnavailable({ problem: `${path} cannot be read: ${messageOf(error)}` })
          }),
          (bytes) => {
            const actual = bytes && digest(bytes)
            if (!bytes || actual === sha256) return Effect.succeed(bytes)
            return new BlobCorrupt({ sha256, actual: actual as string, path })
          }
        )
      })
  }
}

const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const readIfThere = (path: string): Buffer | null => {
  try {
    return readFileSync(path)
  } catch (error) {
    if ((error as { readonly code?: string }).code === "ENOENT") return null
    throw error
  }
}

/** A crash leaves the old file, the new one, or a temporary one that nobody names: never half a blob. */
const writeWhole = (path: string, bytes: Uint8Array): void => {
  const folder = dirname(path)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`
  try {
    withDescriptor(temporary, "wx", (descriptor) => {
      for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written)
    })
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
  withDescriptor(folder, "r", () => {})
}

/** Opens, works and syncs before closing. */
const withDescriptor = (path: string, flags: string, work: (descriptor: number) => void): void => {
  const descriptor = openSync(path, flags, 0o600)
  try {
    work(descriptor)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
