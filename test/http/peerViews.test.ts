import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { HubHandle } from "../../src/hub/startHub.js"
import {
  awaitPresence,
  awaitState,
  eventsOf,
  hubIn,
  register,
  tell,
  workspace,
  write
} from "../support/peerHubs.js"

const ask = <A>(hub: HubHandle, method: string, path: string, body?: unknown): Effect.Effect<A> =>
  Effect.promise(async () => {
    const response = await fetch(`${hub.url}${path}`, {
      method,
      ...(body !== undefined && {
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body)
      })
    })
    return (await response.json()) as A
  })

interface Health {
  readonly components: ReadonlyArray<{
    readonly component: string
    readonly reasons: ReadonlyArray<{ readonly reason: string; readonly subject: string }>
  }>
}

/** Reasons of the component `peers`, with their subjects. */
const wrongWith = (hub: HubHandle, query = "") =>
  Effect.map(ask<Health>(hub, "GET", `/health${query}`), ({ components }) =>
    (components.find(({ component }) => component === "peers")?.reasons ?? []).map(
      ({ reason, subject }) => `${reason} ${subject}`
    )
  )

describe("what is shown of peers", () => {
  it.scopedLive("is their health, live and as of an offset, and the same when it is made anew", () =>
    Effect.gen(function* () {
      const folder = yield* workspace({
        peers: { restart: { first: "10ms" } },
        process: { confirm_within: "50ms" }
      })
      const hub = yield* hubIn(folder)
      yield* register(hub, "dies", ["exit=7"])
      yield* register(hub, "mute", ["no-ack"])
      yield* write(hub, "mute", "m1", "hello", { topic: "t" })
      yield* write(hub, "dies", "m2")
      const unconfirmed = yield* awaitPresence(hub, "process-mute", "DeliveryUnconfirmed", { final: true })
      const held = yield* awaitState(hub, "process-dies", "crashLoop")
      expect(yield* wrongWith(hub)).toEqual(["crash_loop process-dies", "unconfirmed process-mute"])
      const metrics = yield* Effect.promise(async () => (await fetch(`${hub.url}/metrics`)).text())
      expect(metrics.split("\n")).toEqual(
        expect.arrayContaining([
          "mound_deaths_total 3",
          'mound_messages_total{state="unconfirmed"} 1',
          'mound_messages_total{state="failed"} 1',
          'mound_presences{state="crashLoop"} 1',
          'mound_wake_seconds_count{mode="fresh"} 1'
        ])
      )
      expect(yield* wrongWith(hub, `?at=${Math.min(held.offset, unconfirmed.offset) - 1}`)).toEqual([])
      yield* tell(hub, "process-dies", { type: "ResetCrashLoop" })
      yield* tell(hub, "process-dies", { type: "StopPresence" })
      yield* tell(hub, "process-mute", { type: "RenewPresence" })
      const { offset } = yield* awaitState(hub, "process-mute", "ending")
      yield* awaitState(hub, "process-mute", "live.waiting", offset)
      for (const name of ["registry", "messages"]) {
        const { digest, liveDigest, rows } = yield* ask<{ digest: string; liveDigest: string; rows: number }>(
          hub,
          "POST",
          `/projections/${name}/rebuild`,
          {}
        )
        expect(digest, name).toBe(liveDigest)
        expect(rows).toBeGreaterThan(0)
      }
      expect(yield* wrongWith(hub)).toEqual(["unconfirmed process-mute"])
    })
  )

  it.scopedLive("is what happens to one of them, as it happens", () =>
    Effect.gen(function* () {
      const hub = yield* hubIn(yield* workspace())
      yield* register(hub, "b")
      yield* register(hub, "b2")
      const frames = yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const control = new AbortController()
          const response = await fetch(`${hub.url}/peers/b/events?after=0`, { signal: control.signal })
          return { control, reader: response.body?.pipeThrough(new TextDecoderStream()).getReader() }
        }),
        ({ control }) => Effect.sync(() => control.abort())
      )
      yield* tell(hub, "process-b2", { type: "StopPresence" })
      yield* tell(hub, "process-b", { type: "StopPresence" })
      const stopped = yield* awaitPresence(hub, "process-b", "PresenceStopped")
      const text = yield* Effect.promise(async () => {
        let read = ""
        while (!read.includes(`id: ${stopped.offset}\n`)) read += (await frames.reader?.read())?.value ?? ""
        return read
      })
      const streams = [...text.matchAll(/"stream":"([^"]+)"/g)].map(([, stream]) => stream)
      expect(streams).toEqual(["peer/b", "presence/process-b", "presence/process-b"])
      expect(yield* eventsOf(hub)).not.toHaveLength(streams.length)
    })
  )
})
