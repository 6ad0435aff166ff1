import { createHash } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { mound } from "../support/mound.js"
import { startTestHub } from "../support/testHubs.js"
import { makeWorkspace } from "../support/workspaces.js"

const bytes = Buffer.from([0, 1, 2, 255, 10, 0])
const sha256 = createHash("sha256").update(bytes).digest("hex")

describe("blobs over HTTP and from the shell", () => {
  it.scopedLive("come back as the very bytes that were put, cacheable for ever, or not at all", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace({ "mound.yaml": "" })
      const hub = yield* startTestHub(workspace)
      const ask = (path: string, init?: RequestInit) => Effect.promise(() => fetch(`${hub.url}${path}`, init))
      const put = yield* ask("/blobs", { method: "POST", body: bytes })
      expect([put.status, yield* Effect.promise(() => put.json())]).toEqual([201, { sha256, bytes: 6 }])
      const got = yield* ask(`/blobs/${sha256}`)
      expect(Buffer.from(yield* Effect.promise(() => got.arrayBuffer()))).toEqual(bytes)
      expect(got.headers.get("cache-control")).toContain("immutable")
      expect((yield* ask(`/blobs/${"0".repeat(64)}`)).status).toBe(404)
      expect(
        (yield* ask("/blobs", { method: "POST", body: Buffer.alloc(16 * 1024 * 1024 + 1) })).status
      ).toBe(413)

      writeFileSync(join(workspace, "file"), bytes)
      const shell = yield* mound(workspace, "blob", "put", "file")
      expect([shell.code, shell.stdout]).toEqual([0, `${sha256}\n`])
      const back = yield* mound(workspace, "blob", "get", sha256, "--json")
      expect(JSON.parse(back.stdout)).toEqual({ bytes: 6, base64: bytes.toString("base64") })

      writeFileSync(join(workspace, ".mound/blobs", sha256.slice(0, 2), sha256.slice(2)), "other")
      const corrupt = yield* ask(`/blobs/${sha256}`)
      expect([corrupt.status, yield* Effect.promise(() => corrupt.json())]).toMatchObject([
        409,
        { _tag: "BlobCorrupt", sha256 }
      ])
      expect((yield* mound(workspace, "blob", "get", sha256)).code).toBe(1)
    }).pipe(Effect.orDie)
  )
})
