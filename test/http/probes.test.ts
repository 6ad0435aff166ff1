/** How the hub says how it is: probes, health, and what it answers while it starts, drains or cannot write (contracts: hub 5). */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { makeHeldWriter } from "../support/heldWriter.js"
import { askAt, serverBeside, startedHub } from "../support/hub.js"
import { onHub } from "../support/onHub.js"
import { openSocket, until } from "../support/sockets.js"

describe("a ready hub", () => {
  onHub("says so on every probe, fresh as it is", async ({ ask, bootId, head }) => {
    expect((await ask("/livez")).json).toEqual({ ok: true, bootId })
    const offset = await head()
    const ready = await ask("/readyz")
    expect([ready.status, ready.json]).toEqual([
      200,
      { ready: true, state: "ready", bootId, pid: process.pid, offset }
    ])
    expect((await ask("/healthz")).text).toMatch(
      /^\{"ok":true,"store":"sqlite","replayedAt":\d{13},"pheromones":0,"claims":0\}$/
    )
  })

  onHub("tells its health with the ledger's counts, now and as it was", async (hub) => {
    const { ask, bootId, publish } = hub
    const fresh = await ask("/health")
    expect([fresh.status, fresh.json]).toMatchObject([
      200,
      {
        state: "ready",
        bootId,
        status: "ok",
        components: [],
        ledger: { counts: {}, foreverOverDay: 0, oldestOpenAt: null }
      }
    ])
    await publish("a")
    await publish("b")
    await ask("/pheromones/a/claim", { method: "POST" })
    const { offset, ledger } = (await ask("/health")).json
    expect(offset).toBe(await hub.head())
    expect(ledger).toMatchObject({ counts: { open: 1, "held.active": 1 } })
    const past = (await ask(`/health?at=${(offset as number) - 1}`)).json
    expect(past).toMatchObject({ offset: (offset as number) - 1, ledger: { counts: { open: 2 } } })
    expect((await ask("/health?at=soon")).json).toMatchObject({ _tag: "InvalidCommand", path: "at" })
    expect((await ask(`/health?at=${(offset as number) + 1}`)).json._tag).toBe("OffsetAhead")
  })
})

describe("a hub that is not ready yet", () => {
  it.live("answers probes, takes a stop, and tells everybody else to wait", () =>
    Effect.scoped(
      Effect.gen(function* () {
        // Held back is what says that it is ready; before it come two commits, of its start and of its port.
        const { writer, holdAfter, release } = makeHeldWriter()
        holdAfter(2)
        const looked = yield* Deferred.make<void>()
        yield* startedHub({
          writer,
          onBound: ({ port }) =>
            Effect.promise(async () => {
              for (const [path, status] of [
                ["/livez", 200],
                ["/readyz", 503],
                ["/healthz", 503]
              ] as const) {
                expect([path, (await askAt(port, path)).status]).toEqual([path, status])
              }
              expect((await askAt(port, "/readyz")).json).toMatchObject({ ready: false })
              expect((await askAt(port, "/healthz")).json).toMatchObject({ ok: false })
              const old = await askAt(port, "/pheromones")
              expect([old.status, old.text, old.headers["retry-after"]]).toEqual([503, "recovering", "1"])
              const typed = await askAt(port, "/claims/a/claim", { body: { peer: "p" } })
              expect([typed.status, typed.json._tag, typed.headers["retry-after"]]).toEqual([
                503,
                "Recovering",
                "1"
              ])
              expect((await askAt(port, "/hub/stop", { body: { force: 1 } })).status).toBe(400)
            }).pipe(
              Effect.zipRight(Deferred.succeed(looked, undefined)),
              Effect.ensuring(Effect.sync(release)),
              Effect.asVoid
            )
        })
        yield* Deferred.await(looked)
      })
    )
  )
})

/** Sends a completion of `a`, right behind a request whose answer shows that both have arrived. */
const beginCompletion = async (port: number, token: number) => {
  const body = JSON.stringify({ token })
  const head = `POST /claims/a/complete HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${body.length}`
  const socket = await openSocket(port)
  let said = ""
  socket.on("data", (chunk) => {
    said += chunk
  })
  const ended = new Promise((resolve) => socket.once("close", resolve))
  socket.write(`GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n${head}\r\n\r\n${body}`)
  await until(() => said.includes("200 OK"))
  return { said: ended.then(() => said) }
}

describe("a hub that drains", () => {
  const { writer, holdAfter, release } = makeHeldWriter()
  onHub(
    "refuses what starts work, lets the rest end, and says 503 to its supervisor",
    async (hub) => {
      const { ask, publish } = hub
      await publish("a")
      await publish("b")
      const { token } = (await ask("/claims/a/claim", { body: { peer: "p" } })).json
      const active = await ask("/hub/stop", { body: {} })
      expect([active.status, active.json]).toMatchObject([409, { _tag: "ActiveWork", total: 1 }])

      // What says that it drains is committed; that it has drained is held back until everybody has asked.
      const beside = await serverBeside(hub)
      holdAfter(1)
      const stop = await ask("/hub/stop", { body: { force: true, reason: "test" } })
      expect([stop.status, stop.json]).toMatchObject([202, { open: { claims: 1 } }])
      expect((await ask("/readyz")).json).toMatchObject({ ready: false, state: "draining.waiting" })
      expect((await ask("/healthz")).status).toBe(503)
      expect((await ask("/claims/a")).json.state).toBe("held.active")
      const asked = [
        askAt(beside.port, "/claims/b/claim", { body: { peer: "p" } }),
        askAt(beside.port, "/claims/next", { body: { peer: "p" } }),
        askAt(beside.port, "/claims/b/inflate", { body: {} }),
        askAt(beside.port, "/pheromones", {
          body: { id: "c", stanceTarget: "s", baseIntensity: 1, decayRate: 0 }
        })
      ]
      await until(() => beside.open() === asked.length)
      const completing = await beginCompletion(hub.port, token as number)
      release()
      const [claim, next, inflate, old] = await Promise.all(asked)
      for (const answer of [claim, next, inflate]) {
        expect([answer?.status, answer?.json._tag, answer?.headers["retry-after"]]).toEqual([
          503,
          "Draining",
          "1"
        ])
      }
      expect([old?.status, old?.text]).toEqual([503, "draining"])
      expect(await completing.said).toContain('"state":"done"')
      expect(await Effect.runPromise(hub.stopped)).toEqual({ clean: true })
      await beside.close()
    },
    { writer }
  )

  onHub("sends those who wait for work away", async (hub) => {
    const beside = await serverBeside(hub)
    const waiting = askAt(beside.port, "/claims/next", { body: { peer: "p", waitMs: 60_000 } })
    await until(() => beside.open() === 1)
    await hub.ask("/hub/stop", { body: {} })
    const { status, json } = await waiting
    expect([status, json._tag]).toEqual([503, "Draining"])
    await beside.close()
  })
})

describe("a hub whose disk is full", () => {
  const writer = makeHeldWriter()
  onHub(
    "refuses commands and says why, goes on reading, and recovers when space returns",
    async ({ ask, publish, listed }) => {
      await publish("a")
      writer.fill()
      // The first command meets the full disk itself: nobody can say at once whether it was kept.
      const met = await publish("b")
      expect([met.status, met.text]).toEqual([503, "read-only"])
      const typed = await ask("/claims/a/claim", { body: { peer: "p" } })
      expect([typed.status, typed.json, typed.headers["retry-after"]]).toMatchObject([
        503,
        { _tag: "ReadOnly", reason: "enospc", fix: expect.stringContaining("space") },
        "1"
      ])
      expect((await ask("/readyz")).json).toMatchObject({ ready: false, state: "ready" })
      expect([(await ask("/healthz")).status, (await ask("/livez")).status]).toEqual([503, 200])
      expect((await ask("/health")).json).toMatchObject({
        status: "failing",
        components: [{ component: "journal", reasons: [{ reason: "write_refused" }] }]
      })
      expect((await listed()).map(({ id }) => id)).toEqual(["a"])
      writer.empty()
      await until(async () => (await ask("/readyz")).status === 200)
      expect((await publish("b")).status).toBe(201)
    },
    { writer: writer.writer }
  )
})

describe("a hub with 10,000 commands waiting", () => {
  const { writer, hold, release } = makeHeldWriter()
  onHub(
    "tells the next one to slow down, and carries out all of those that wait",
    async ({ ask, publish, parts: { system, claimKind } }) => {
      await publish("a")
      hold()
      const inflate = system.send(claimKind, "a", { type: "InflatePheromone" }, { by: "test" })
      const answers: Array<Promise<unknown>> = []
      const isFull = () => system.waiting() >= 10_000
      // Some leave the queue for the turn that is being committed and the one that is decided on top of it.
      await until(() => {
        while (!isFull()) answers.push(Effect.runPromise(inflate))
        return answers.length > 11_000
      })
      const typed = await ask("/claims/a/inflate", { body: {} })
      expect([typed.status, typed.json._tag, typed.headers["retry-after"]]).toEqual([429, "SlowDown", "1"])
      const old = await ask("/pheromones/a/inflate", { method: "POST" })
      expect([old.status, old.text]).toEqual([429, "slow down"])
      release()
      await Promise.all(answers)
      expect((await ask("/claims/a")).json.inflations).toBe(answers.length)
    },
    { writer },
    60_000
  )
})
