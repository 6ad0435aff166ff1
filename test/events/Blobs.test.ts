import { createHash } from "node:crypto"
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { BlobCorrupt, makeBlobs } from "../../src/events/Blobs.js"
import { temporaryFolder } from "../support/stores.js"

const text = "some bytes"
const sha256 = createHash("sha256").update(text).digest("hex")

describe("Blobs", () => {
  const inFolder = <E>(name: string, body: (folder: string) => Effect.Effect<void, E>) =>
    it.scoped(name, () => Effect.flatMap(temporaryFolder, body))
  const pathIn = (folder: string) => join(folder, sha256.slice(0, 2), sha256.slice(2))

  inFolder("keeps bytes under their digest, in the layout of older workspaces", (folder) =>
    Effect.gen(function* () {
      const blobs = makeBlobs(folder)
      expect(yield* blobs.write(text)).toEqual({ sha256, bytes: 10 })
      expect(readFileSync(pathIn(folder), "utf8")).toBe(text)
      expect((yield* blobs.read(` ${sha256.toUpperCase()} `))?.toString()).toBe(text)
      expect(readdirSync(dirname(pathIn(folder)))).toEqual([sha256.slice(2)])
    })
  )

  inFolder("knows no blob that was never written, nor a name that is no digest", (folder) =>
    Effect.gen(function* () {
      const blobs = makeBlobs(folder)
      expect(yield* blobs.read(sha256)).toBeNull()
      expect(yield* blobs.read("../../etc/passwd")).toBeNull()
    })
  )

  inFolder("refuses bytes that were altered, with both digests, and mends them by a right write", (folder) =>
    Effect.gen(function* () {
      const blobs = makeBlobs(folder)
      yield* blobs.write(text)
      writeFileSync(pathIn(folder), "other bytes")
      const actual = createHash("sha256").update("other bytes").digest("hex")
      const corrupt = yield* Effect.flip(blobs.read(sha256))
      expect(corrupt).toBeInstanceOf(BlobCorrupt)
      expect(corrupt).toMatchObject({ sha256, actual })
      yield* blobs.write(text)
      expect((yield* blobs.read(sha256))?.toString()).toBe(text)
    })
  )

  inFolder("leaves a file alone that is there and right", (folder) =>
    Effect.gen(function* () {
      mkdirSync(dirname(pathIn(folder)), { recursive: true })
      writeFileSync(pathIn(folder), text)
      const { ino } = statSync(pathIn(folder))
      yield* makeBlobs(folder).write(Buffer.from(text))
      expect(statSync(pathIn(folder)).ino).toBe(ino)
    })
  )

  inFolder("takes 64 MiB and no byte more", (folder) =>
    Effect.gen(function* () {
      const failed = yield* Effect.flip(makeBlobs(folder).write(Buffer.alloc(64 * 1024 * 1024 + 1)))
      expect(failed.message).toContain("over 64 MiB")
      expect(readdirSync(folder)).toEqual([])
    })
  )
})
