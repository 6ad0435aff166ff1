/** Real hubs in the test's own process, with real files, sockets and worker processes. They end with the scope. */
import { resolve } from "node:path"
import { Effect, Exit, type Scope } from "effect"
import { loadSettings } from "../../src/config/Settings.js"
import type { RecordedEvent } from "../../src/events/Event.js"
import { layer as inlineWriter } from "../../src/hub/inlineWriter.js"
import { type HubHandle, type StartOptions, startHub } from "../../src/hub/startHub.js"
import { offset } from "./stores.js"

/** Workers run the built code, as it is shipped. */
const workerIn = (name: string) => resolve(import.meta.dirname, `../../dist/bin/chunks/${name}.js`)
const workers = { senseWorker: workerIn("senseWorker"), workflowWorker: workerIn("workflowWorker") }

/** Starts a hub, and stops it in good order when the scope closes. */
export const startTestHub = (
  workspace: string,
  options: StartOptions = {}
): Effect.Effect<HubHandle, never, Scope.Scope> =>
  Effect.gen(function* () {
    const flags = { "http.port": "0", "hub.drain_timeout": "10s" }
    const { settings } = yield* loadSettings({ workspace, environment: {}, flags })
    const hub = yield* startHub(settings, "test", { writer: inlineWriter, ...workers, ...options })
    yield* Effect.addFinalizer((exit) =>
      Exit.isInterrupted(exit)
        ? Effect.void
        : Effect.zipRight(
            Effect.ignore(hub.stop({ force: true, reason: "test" })),
            Effect.ignore(hub.stopped)
          )
    )
    return hub
  }).pipe(Effect.orDie)

/** All events of a hub's journal, or of one stream. */
export const eventsOf = (hub: HubHandle, stream?: string): Effect.Effect<ReadonlyArray<RecordedEvent>> =>
  Effect.map(Effect.orDie(hub.parts.journal.read(offset(0), 10_000)), (events) =>
    events.filter((event) => stream === undefined || event.stream === stream)
  )

/** Completes with the first event that is meant, now or later. */
export const awaitEvent = (
  hub: HubHandle,
  isMeant: (event: RecordedEvent) => boolean
): Effect.Effect<RecordedEvent> =>
  Effect.gen(function* () {
    let cursor = offset(0)
    for (;;) {
      const page = yield* Effect.orDie(hub.parts.journal.read(cursor, 1_000))
      const found = page.find(isMeant)
      if (found) return found
      cursor = page.at(-1)?.offset ?? cursor
      yield* hub.parts.journal.awaitBeyond(cursor)
    }
  })

/** The first event of a type in a sense's stream, after an offset. */
export const awaitSense = (
  hub: HubHandle,
  sense: string,
  type: string,
  after = 0
): Effect.Effect<RecordedEvent> =>
  awaitEvent(hub, (event) => event.stream === `sense/${sense}` && event.type === type && event.offset > after)

export const triggerSense = (hub: HubHandle, sense: string) =>
  Effect.orDie(
    hub.parts.system.send(
      hub.parts.senseKind,
      sense,
      { type: "TriggerSense", cause: { kind: "manual" }, depth: 0 },
      { by: "test" }
    )
  )
