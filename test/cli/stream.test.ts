/** `mound stream` (contracts: streams 5.6). */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { binaryOf, end, moundIn, start, startDev, workspaceFolder } from "../support/binaries.js"

const enabled = "streams:\n  enabled: true\n"
const linesOf = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { offset: number; type: string })

describe("mound stream", () => {
  it.scopedLive("reads one actor or everything, from where it is told, and says how to go on", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder(enabled)
      yield* startDev(workspace)
      const mound = moundIn(workspace)
      yield* mound("claim", "deposit", "w1", "--stance", "s", "--base", "1")
      yield* mound("claim", "take", "w1", "--as", "ann", "--ttl", "1m")
      const whole = yield* mound("stream", "read", "claim/w1")
      expect(linesOf(whole.stdout).map(({ type }) => type)).toEqual(["PheromoneDeposited", "ClaimGranted"])
      const [published, granted] = linesOf(whole.stdout)
      const token = /^next (\d{16}_\d{16})$/m.exec(whole.stderr)?.[1]
      expect(Number(token?.slice(17))).toBe(granted?.offset)
      const one = yield* mound("stream", "read", "claim/w1", "--limit", "1", "--json")
      expect(JSON.parse(one.stdout)).toMatchObject({ messages: [{ offset: published?.offset }] })
      const rest = yield* mound(
        "stream",
        "read",
        "$all",
        "--kind",
        "claim",
        "--from",
        String(published?.offset)
      )
      expect(linesOf(rest.stdout)).toMatchObject([{ offset: granted?.offset }])
      expect((yield* mound("stream", "head", "claim/w1")).stdout).toContain(`next    ${token}`)
      const none = yield* mound("stream", "read", "claim/none", "--json")
      expect([none.code, JSON.parse(none.stdout)]).toMatchObject([1, { _tag: "StreamNotFound" }])
      const ahead = yield* mound("stream", "read", "$all", "--from", "999999")
      expect([ahead.code, ahead.stdout]).toEqual([1, ""])
    })
  )

  it.scopedLive("follows across a hub that is killed and comes back: each message once, in order", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder(enabled)
      const first = yield* startDev(workspace)
      const mound = moundIn(workspace)
      const words = ["stream", "follow", "$all", "--workspace", workspace]
      const follower = yield* start(binaryOf("mound"), words)
      yield* follower.awaitOutput(/HubReady/)
      yield* mound("claim", "deposit", "w1", "--stance", "s", "--base", "1")
      yield* follower.awaitOutput(/claim\/w1/)
      yield* end(first, "SIGKILL")
      yield* startDev(workspace)
      yield* mound("claim", "deposit", "w2", "--stance", "s", "--base", "1")
      yield* follower.awaitOutput(/claim\/w2/)
      follower.child.kill("SIGINT")
      expect((yield* follower.ended).code).toBe(0)
      const seen = linesOf(follower.stdout())
      expect(seen.map(({ offset }) => offset)).toEqual(seen.map((_, index) => index + 1))
      expect(seen.map(({ type }) => type)).toContain("HubLossDetected")
    })
  )
})
