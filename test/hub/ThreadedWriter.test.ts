import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, type Scope } from "effect"
import { ChainVerifier } from "../../src/events/HashChain.js"
import { Journal, VersionConflict } from "../../src/events/Journal.js"
import * as SqliteJournal from "../../src/events/SqliteJournal.js"
import * as SqliteStore from "../../src/events/SqliteStore.js"
import { LedgerAudit } from "../support/LedgerAudit.js"
import { LedgerClient } from "../support/LedgerClient.js"
import { Random } from "../support/Random.js"
import { mortalWriter, type StartedHub, startedHub } from "../support/startedHub.js"
import { happened, offset, stream, temporaryFolder, testEvents, version } from "../support/stores.js"

/** A journal whose writer is on a thread of its own. */
const threadedJournal = Layer.unwrapScoped(
  Effect.map(temporaryFolder, (folder) => {
    const path = join(folder, "mound.db")
    return SqliteJournal.layer.pipe(
      // The writer makes the file that the reader opens.
      Layer.provideMerge(Layer.unwrapEffect(Effect.succeed(SqliteStore.layerReadOnly(path)))),
      Layer.provideMerge(mortalWriter(path)),
      Layer.provide(testEvents),
      Layer.orDie
    )
  })
)

describe("A journal with its writer on a thread", () => {
  it.live("has batches, conflicts and agendas cross the border as they are", () =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const data = { text: 'é"\\\u0000\ud800', "7": [1.5, null], big: 1e21 }
      const given = happened("a/ü b/c", 1, {
        data,
        causation: offset(3),
        correlation: "c-1",
        at: 1_795_184_985_331
      })
      const deadline = {
        id: "x",
        dueAt: 9,
        event: { type: "Due", n: 1 },
        armedBy: offset(1),
        correlation: null
      }
      const agenda = { stream: given.stream, deadlines: [deadline], invocations: ["probe"] }
      const answers = yield* Effect.all(
        [
          journal.append({ events: [given, happened("a/2", 1)], agendas: [agenda] }),
          Effect.flip(journal.append({ events: [happened("a/2", 5)] })),
          journal.append({ events: [happened("a/2", 2)] })
        ],
        { concurrency: "unbounded" }
      )
      const [first, conflict, last] = answers
      expect(conflict).toEqual(
        new VersionConflict({ stream: stream("a/2"), expected: version(4), actual: version(1) })
      )
      const stored = yield* journal.readStreams([
        { stream: given.stream, after: version(0) },
        { stream: stream("a/2"), after: version(0) }
      ])
      const told = [...(first ?? []), ...(last ?? [])].map(({ json }) => json)
      expect(stored.map(({ json }) => json).sort()).toEqual(told.sort())
      expect(first?.[0]?.data).toEqual(JSON.parse(JSON.stringify(data)))
      expect(new ChainVerifier().check(yield* journal.read(offset(0), 10))).toBeUndefined()
      expect(yield* journal.agendas).toEqual([agenda])
    }).pipe(Effect.provide(threadedJournal))
  )
})

const mark = (id: string, note = "") => ({
  record: { id, stanceTarget: "any", baseIntensity: 1, decayRate: 0, note }
})

/** A hub whose writer thread is mortal, and where its journal is. */
const withHub = (
  name: string,
  body: (hub: StartedHub, path: string) => Effect.Effect<void, never, Scope.Scope>
) =>
  it.scopedLive(
    name,
    () =>
      Effect.gen(function* () {
        const workspace = yield* temporaryFolder
        const hub = yield* startedHub(workspace, { writer: mortalWriter })
        yield* body(hub, join(workspace, ".mound/mound.db"))
      }),
    120_000
  )

const journaled = (hub: StartedHub) =>
  Effect.map(
    hub.get("/journal?limit=1000"),
    ({ body }) => body.events as ReadonlyArray<{ type: string; commandId: string }>
  )

/** Asks again until the hub takes writes. */
const untilAccepted = (hub: StartedHub, id: string, commandId: string): Effect.Effect<void> =>
  hub.post("/claims", mark(id), commandId).pipe(
    Effect.filterOrFail(({ status }) => status === 201),
    Effect.tapError(() => Effect.sleep(50)),
    Effect.eventually,
    Effect.asVoid
  )

describe("A hub whose writer thread ends", () => {
  withHub("answers from the journal when the commit had gone through, and goes on with a new thread", (hub) =>
    Effect.gen(function* () {
      const { status, body } = yield* hub.post("/claims", mark("a", "ends-after-commit:x"), "c1")
      expect([status, body.offset]).toEqual([201, 5])
      yield* untilAccepted(hub, "b", "c2")
      const events = yield* journaled(hub)
      expect(events.filter(({ commandId }) => commandId === "c1")).toHaveLength(1)
      expect(events.map(({ type }) => type)).toContain("JournalWritesResumed")
    })
  )

  withHub(
    "says that nothing was written when the commit had not gone through, and a retry is done once",
    (hub) =>
      Effect.gen(function* () {
        const { status, body } = yield* hub.post("/claims", mark("a", "ends-before-commit:x"), "c1")
        expect([status, body._tag, body.reason]).toEqual([503, "ReadOnly", "io"])
        expect(body.detail).toContain("the writer thread ended with code 3")
        expect((yield* journaled(hub)).map(({ commandId }) => commandId)).not.toContain("c1")
        expect((yield* hub.get("/claims/a")).status).toBe(404)
        yield* untilAccepted(hub, "a", "c1")
        expect((yield* journaled(hub)).filter(({ commandId }) => commandId === "c1")).toHaveLength(1)
      })
  )

  withHub("stays read-only and says so while no thread starts, and writes again once one does", (hub, path) =>
    Effect.gen(function* () {
      writeFileSync(`${path}.broken`, "")
      const waiting = yield* Effect.fork(hub.post("/claims", mark("a", "ends-before-commit:x"), "c1"))
      const failing = yield* hub.get("/health").pipe(
        Effect.filterOrFail(({ body }) => body.status === "failing"),
        Effect.tapError(() => Effect.sleep(50)),
        Effect.eventually
      )
      expect(JSON.stringify(failing.body)).toContain("write_refused")
      // Reads go on, and what comes now is refused with certainty; what was under way has no answer yet.
      expect((yield* hub.get("/journal")).status).toBe(200)
      expect((yield* hub.post("/claims", mark("b"))).body._tag).toBe("ReadOnly")
      rmSync(`${path}.broken`)
      expect((yield* Fiber.join(waiting)).body._tag).toBe("ReadOnly")
      yield* untilAccepted(hub, "a", "c1")
    })
  )

  withHub("loses and misreports nothing when it ends again and again under load", (hub, path) =>
    Effect.gen(function* () {
      const random = new Random(7)
      const clients = Array.from({ length: 8 }, (_, n) => new LedgerClient(`peer${n}`, random.split()))
      let isOver = false
      const working = clients.map((client) => client.work(hub.url, () => isOver))
      for (const [index, when] of ["after", "before"].entries()) {
        yield* hub.post("/claims", mark(`last${index}`, `ends-${when}-commit:x${index}`))
        yield* untilAccepted(hub, `next${index}`, `next${index}`)
      }
      isOver = true
      yield* Effect.promise(() => Promise.all(working))
      const audit = new LedgerAudit()
      yield* Effect.promise(() => audit.check(path, clients))
      expect(audit.faults).toEqual([])
      const answers = clients.flatMap(({ sent }) => sent.map(({ answer }) => answer?.status))
      expect(answers).toContain(201)
      expect(answers).toContain(503)
    })
  )
})
