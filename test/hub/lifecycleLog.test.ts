import { readFileSync, statSync, truncateSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import type { RecordedEvent } from "../../src/events/Event.js"
import { lifecycleLine } from "../../src/hub/lifecycleLine.js"
import { lifecycleLogPath } from "../../src/hub/lifecycleLog.js"
import { logfmt } from "../../src/hub/logfmt.js"
import { RotatingFile } from "../../src/hub/RotatingFile.js"
import { awaitPresence, awaitState, hubIn, register, tell, workspace, write } from "../support/peerHubs.js"
import { temporaryFolder } from "../support/stores.js"

describe("logfmt", () => {
  const vectors: ReadonlyArray<readonly [value: string | number, written: string]> = [
    ["reaped-idle", "reaped-idle"],
    [42, "42"],
    ["a\\b", "a\\b"],
    ["", '""'],
    ["a=b", '"a=b"'],
    ['say "hi"', '"say \\"hi\\""'],
    ["back\\slash here", '"back\\\\slash here"'],
    ["two\nlines\r", '"two\\nlines\\r"'],
    ["\u001b[2J", '"\\u001b[2J"']
  ]
  for (const [value, written] of vectors) {
    it(`writes ${JSON.stringify(value)} as ${written}`, () => {
      expect(logfmt([["key", value]])).toBe(`key=${written}`)
    })
  }

  it("leaves out what is absent", () => {
    expect(
      logfmt([
        ["a", 1],
        ["b", null],
        ["c", undefined],
        ["d", 2]
      ])
    ).toBe("a=1 d=2")
  })
})

describe("a rotating file", () => {
  const write = (folder: string, maxBytes: number, keep: number, count: number) => {
    const file = new RotatingFile(join(folder, "log", "x.log"), { maxBytes, maxFiles: keep })
    for (let n = 0; n < count; n++) file.append([`${n} ${"x".repeat(76)}`])
    const read = (suffix: string) => {
      try {
        return readFileSync(`${file.path}${suffix}`, "utf8")
          .trim()
          .split("\n")
          .map((line) => line.split(" ")[0])
      } catch {
        return undefined
      }
    }
    return [read(""), read(".1"), read(".2"), read(".3")]
  }

  it.scoped("keeps so many besides the base, the newest in the base", () =>
    Effect.map(temporaryFolder, (folder) => {
      expect(write(folder, 120, 2, 6)).toEqual([["5"], ["4"], ["3"], undefined])
    })
  )

  it.scoped("can be read in order from the oldest to the base", () =>
    Effect.map(temporaryFolder, (folder) => {
      expect(write(folder, 90, 3, 4).reverse().flat()).toEqual(["0", "1", "2", "3"])
      expect(statSync(join(folder, "log")).mode & 0o777).toBe(0o700)
      expect(statSync(join(folder, "log", "x.log")).mode & 0o777).toBe(0o600)
    })
  )
})

describe("a line of the lifecycle log", () => {
  const line = (type: string, data: object, state = "") =>
    lifecycleLine(
      { stream: "presence/claude-boris", type, data, state, at: 0, offset: 7 } as unknown as RecordedEvent,
      () => true
    )?.slice("ts=1970-01-01T00:00:00.000Z ".length)
  const end = { code: null, signal: null, death: false, idleForMs: null, restartInMs: 2_000, heldUntil: null }
  const wake = "ev=wake personality=boris identity=claude-boris runtime=claude"
  const ended = "ev=supervise identity=claude-boris"
  const lines: ReadonlyArray<readonly [string, string | undefined]> = [
    [
      `${wake} mode=resume cause=idle-reaped-resume ref=S1 topic="a b" offset=7`,
      line("WakeModeChosen", { mode: "resume", cause: "idle-reaped-resume", resumeRef: "S1", topic: "a b" })
    ],
    [
      `${wake} mode=fresh cause=folder-launch why=renew offset=7`,
      line("WakeModeChosen", { mode: "fresh", cause: "renew", resumeRef: null, topic: null })
    ],
    [
      `${wake} mode=fail cause=cwd-missing reason=/gone offset=7`,
      line("WakeFailed", { reason: "cwd-missing", detail: "/gone" })
    ],
    [
      `${ended} action=reaped-idle age=4230s outcome=resume-eligible offset=7`,
      line("SessionEnded", { ...end, reason: "idle", idleForMs: 4_230_900 }, "asleep.parked")
    ],
    [
      `${ended} action=reaped-gone death=session-gone reason="exit 7" outcome=fresh-next-msg offset=7`,
      line("SessionEnded", { ...end, reason: "exit", code: 7, death: true }, "asleep.gone")
    ],
    [
      `${ended} action=reaped-gone death=session-gone reason="signal SIGKILL" outcome=restart restart-in=2000ms offset=7`,
      line("SessionEnded", { ...end, reason: "exit", signal: "SIGKILL", death: true }, "restarting")
    ],
    [
      `${ended} action=reaped-gone death=session-gone reason="exit 7" outcome=crash-loop crash-loop=1970-01-01T00:05:00.000Z offset=7`,
      line("SessionEnded", { ...end, reason: "exit", code: 7, death: true, heldUntil: 300_000 }, "crashLoop")
    ],
    [
      `${ended} action=needs-eager-fresh reason=self-fresh outcome=eager-fresh offset=7`,
      line("SessionEnded", { ...end, reason: "self-fresh" }, "waking.deciding")
    ],
    [
      `${ended} action=reaped-ephemeral age=21s outcome=ephemeral-done offset=7`,
      line("SessionEnded", { ...end, reason: "ephemeral-done", idleForMs: 21_000 }, "asleep.gone")
    ],
    ["ev=attach identity=claude-boris offset=7", line("SessionAttached", { sessionId: "S1" })],
    ["ev=stopped identity=claude-boris action=stopped offset=7", line("PresenceStopped", {})],
    ["ev=started identity=claude-boris action=started offset=7", line("PresenceStarted", {})],
    [
      "ev=ready identity=claude-boris session=S1 after=840ms offset=7",
      line("SessionReady", { sessionId: "S1", afterMs: 840 })
    ],
    [
      "ev=topic-note identity=claude-boris topic=t offset=7",
      line("DeliveryAttempted", { sessionId: "S1", topic: "t" })
    ]
  ]
  for (const [expected, actual] of lines) {
    it(expected, () => {
      expect(actual).toBe(expected)
    })
  }
})

describe("the lifecycle log", () => {
  const linesOf = (folder: string) =>
    readFileSync(lifecycleLogPath(join(folder, ".mound")), "utf8")
      .trim()
      .split("\n")
  const until = (folder: string, offset: number) =>
    Effect.retry(
      Effect.try(() => {
        if (!linesOf(folder).at(-1)?.endsWith(` offset=${offset}`)) throw new Error("not there yet")
      }),
      { schedule: Schedule.spaced(20), times: 2_000 }
    )

  it.scopedLive("has each decision once, also after a tail that was torn and a hub that was away", () =>
    Effect.gen(function* () {
      const folder = yield* workspace()
      const b = "process-b"
      yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = yield* hubIn(folder)
          yield* register(hub, "b")
          yield* write(hub, "b", "m1", "hello", { topic: "t" })
          yield* awaitPresence(hub, b, "DeliveryConfirmed")
          yield* tell(hub, b, { type: "StopPresence" })
          yield* awaitState(hub, b, "stopped")
          const started = yield* tell(hub, b, { type: "StartPresence" })
          yield* until(folder, started.state.offset)
        })
      )
      const before = linesOf(folder)
      expect(before.map((line) => / (ev=\S+)/.exec(line)?.[1])).toEqual([
        "ev=wake",
        "ev=ready",
        "ev=topic-note",
        "ev=stopped",
        "ev=started"
      ])
      // The hub was killed in the middle of its third line.
      const path = lifecycleLogPath(join(folder, ".mound"))
      const whole = before.slice(0, 2).join("\n").length + 1
      truncateSync(path, whole + 20)
      const hub = yield* hubIn(folder)
      yield* tell(hub, b, { type: "StopPresence" })
      const stopped = yield* awaitPresence(
        hub,
        b,
        "PresenceStopped",
        {},
        Number(/offset=(\d+)$/.exec(before.at(-1) ?? "")?.[1])
      )
      yield* until(folder, stopped.offset)
      expect(linesOf(folder).slice(0, 5)).toEqual(before)
      expect(linesOf(folder)).toHaveLength(6)
    })
  )
})
