/**
 * Files that go with messages. What is attached is copied into the blob store, by the hash of its content, before the message is
 * accepted; each session gets copies of its own, so that nobody can change what another was sent (contracts: peers 2).
 */
import { createHash } from "node:crypto"
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync
} from "node:fs"
import { basename, dirname, isAbsolute, join, sep } from "node:path"
import { Effect } from "effect"
import type { Attachment as AttachmentSchema } from "../actors/presence/PresenceEvent.js"
import type { OwnPresenceReason } from "../actors/presence/PresenceRefusal.js"
import { Refused } from "../actors/Refused.js"
import { randomHex } from "../events/randomHex.js"

type Attachment = typeof AttachmentSchema.Type
type Bad = Extract<OwnPresenceReason, { readonly _tag: "BadAttachment" }>

const MiB = 1_024 * 1_024
const maxFileBytes = 32 * MiB
const maxMessageBytes = 128 * MiB
export const maxAttachments = 20
const chunkBytes = 256 * 1_024

/** A file that may be attached, open. */
interface Source {
  readonly path: string
  readonly file: number
  readonly bytes: number
}

export interface Attachments {
  /** Keeps copies of these files; refused whole when one of them may not be attached. */
  readonly keep: (paths: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Attachment>, Refused<Bad>>
  /** Read-only copies below a folder, under their own names; completes with their paths. */
  readonly deliver: (
    attachments: ReadonlyArray<Attachment>,
    folder: string
  ) => Effect.Effect<ReadonlyArray<string>>
}

export const makeAttachments = (stateDir: string): Attachments => {
  const blobs = join(stateDir, "blobs")
  return {
    keep: (paths) =>
      paths.length === 0
        ? Effect.succeed([])
        : Effect.scoped(
            Effect.gen(function* () {
              const sources = yield* Effect.forEach(paths, (path) => openSource(path, stateDir))
              const total = sources.reduce((sum, { bytes }) => sum + bytes, 0)
              if (total > maxMessageBytes) {
                return yield* bad(sources.at(-1)?.path ?? "", "makes more than 128 MiB for one message")
              }
              mkdirSync(blobs, { recursive: true, mode: 0o700 })
              return yield* Effect.forEach(sources, (source) => keepOne(blobs, source))
            })
          ),
    deliver: (attachments, folder) =>
      Effect.sync(() =>
        attachments.map(({ name, sha256 }, index) => {
          // Two files of one message may have the same name.
          const path = join(folder, String(index + 1), name)
          if (existsSync(path)) return path
          mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
          copyFileSync(join(blobs, sha256), path, constants.COPYFILE_FICLONE)
          return path
        })
      )
  }
}

const bad = (path: string, why: string): Refused<Bad> =>
  new Refused({ reason: { _tag: "BadAttachment", path, why } })

/** Looked at by the open file: what the path leads to a moment later does not matter any more. */
const openSource = (path: string, stateDir: string) =>
  Effect.gen(function* () {
    if (!isAbsolute(path)) return yield* bad(path, "is no absolute path")
    if (/[\u0000-\u001f\u007f]/.test(path)) return yield* bad(path, "has control characters in its name")
    const real = yield* Effect.try({
      try: () => realpathSync(path),
      catch: () => bad(path, "does not exist")
    })
    if (`${real}${sep}`.startsWith(`${realpathSync(stateDir)}${sep}`)) {
      return yield* bad(path, "lies in the hub's own folder")
    }
    const file = yield* Effect.acquireRelease(
      Effect.try({
        // Without waiting: a FIFO would wait for a writer.
        try: () => openSync(real, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW),
        catch: () => bad(path, "cannot be read")
      }),
      (open) => Effect.sync(() => closeSync(open))
    )
    const stat = fstatSync(file)
    if (!stat.isFile()) return yield* bad(path, "is no regular file")
    if (stat.size > maxFileBytes) return yield* bad(path, "is larger than 32 MiB")
    return { path, file, bytes: stat.size } satisfies Source
  })

/** Whole or not at all: a blob appears under its hash once it is on the disk. */
const keepOne = (blobs: string, { path, file, bytes: size }: Source) =>
  Effect.gen(function* () {
    const temporary = join(blobs, `.${yield* randomHex(16)}`)
    return yield* Effect.sync(() => {
      const hash = createHash("sha256")
      const copy = openSync(temporary, "wx", 0o400)
      const buffer = Buffer.alloc(chunkBytes)
      let bytes = 0
      // As far as it went when it was looked at: one that grows meanwhile is not followed.
      while (bytes < size) {
        const length = readSync(file, buffer, 0, Math.min(chunkBytes, size - bytes), bytes)
        if (length === 0) break
        const chunk = buffer.subarray(0, length)
        hash.update(chunk)
        writeSync(copy, chunk)
        bytes += length
      }
      fsyncSync(copy)
      closeSync(copy)
      const sha256 = hash.digest("hex")
      renameSync(temporary, join(blobs, sha256))
      return { name: basename(path), sha256, bytes }
    }).pipe(Effect.onError(() => Effect.sync(() => rmSync(temporary, { force: true }))))
  })
