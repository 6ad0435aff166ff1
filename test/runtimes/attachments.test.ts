import { execFileSync } from "node:child_process"
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { HubHandle } from "../../src/hub/startHub.js"
import { awaitPresence, eventsOf, hubIn, notesOf, register, tell, workspace } from "../support/peerHubs.js"

const send = (hub: HubHandle, attachments: ReadonlyArray<string>, messageId: string) =>
  Effect.promise(async () => {
    const response = await fetch(`${hub.url}/messages?wait=20000`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ to: "b", body: "see", messageId, attachments })
    })
    return {
      status: response.status,
      body: (await response.json()) as { readonly _tag?: string; readonly state?: string }
    }
  })

const MiB = 1_024 * 1_024

describe("an attachment", () => {
  it.scopedLive(
    "reaches its recipient as it was when the message was accepted, read-only and under its name",
    () =>
      Effect.gen(function* () {
        const folder = yield* workspace({ process: { confirm_within: "20s" } })
        const hub = yield* hubIn(folder)
        yield* register(hub, "b")
        const path = join(folder, "a b.txt")
        writeFileSync(path, "as it was")
        symlinkSync(path, join(folder, "link.txt"))
        const sending = yield* Effect.fork(send(hub, [path, join(folder, "link.txt")], "m1"))
        yield* awaitPresence(hub, "process-b", "MessageAccepted")
        unlinkSync(path)
        expect((yield* sending).body.state).toBe("confirmed")
        const got = notesOf(folder, "b").find((note) => note.got)?.got as {
          readonly attachments?: ReadonlyArray<string>
        }
        const files = got.attachments ?? []
        expect(files.map((file) => file.split("/").at(-1))).toEqual(["a b.txt", "link.txt"])
        expect(files.map((file) => readFileSync(file, "utf8"))).toEqual(["as it was", "as it was"])
        expect(files.map((file) => statSync(file).mode & 0o777)).toEqual([0o400, 0o400])
        expect(readdirSync(join(folder, ".mound", "blobs"))).toHaveLength(1)
        writeFileSync(path, "another")
        expect((yield* send(hub, [path, path], "m1")).body._tag).toBe("MessageIdReused")
      })
  )

  it.scopedLive("is refused when it is no plain file of somebody else's, and nothing is kept of it", () =>
    Effect.gen(function* () {
      const folder = yield* workspace()
      const hub = yield* hubIn(folder)
      yield* register(hub, "b")
      yield* tell(hub, "process-b", { type: "DeclarePresence" })
      const good = join(folder, "good.txt")
      writeFileSync(good, "good")
      const inside = join(folder, "inside")
      symlinkSync(join(folder, ".mound", "mound.db"), inside)
      const fifo = join(folder, "fifo")
      execFileSync("mkfifo", [fifo])
      const large = join(folder, "large")
      writeFileSync(large, "")
      truncateSync(large, 33 * MiB)
      const newline = join(folder, "two\nlines")
      writeFileSync(newline, "x")
      mkdirSync(join(folder, "directory"))
      const { length } = yield* eventsOf(hub)
      const paths = [
        "good.txt",
        join(folder, "none"),
        join(folder, "directory"),
        fifo,
        "/dev/null",
        newline,
        inside,
        large
      ]
      for (const [index, path] of paths.entries()) {
        const refused = yield* send(hub, [good, path], `m${index}`)
        expect([refused.status, refused.body._tag], path).toEqual([400, "BadAttachment"])
      }
      expect(
        (yield* send(
          hub,
          Array.from({ length: 21 }, () => good),
          "many"
        )).status
      ).toBe(400)
      expect(yield* eventsOf(hub)).toHaveLength(length)
      expect(existsSync(join(folder, ".mound", "blobs"))).toBe(false)
    })
  )
})
