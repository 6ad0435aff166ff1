import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import type { PresenceCommand } from "../../../src/actors/presence/PresenceCommand.js"
import { isOwed } from "../../../src/actors/presence/PresenceContext.js"
import type { PresenceFact } from "../../../src/actors/presence/PresenceEvent.js"
import type { PresenceState } from "../../../src/actors/presence/PresenceIndex.js"
import type { EventData, Offset, RecordedEvent } from "../../../src/events/Event.js"
import { messages } from "../../../src/projections/messages.js"
import { RowFold } from "../../../src/projections/Projection.js"
import { registry } from "../../../src/projections/registry.js"
import { decide, given, type Happening, identity, next, outcome } from "../../support/presences.js"

/** One thing that may come to a presence from outside: a command, a deadline, the end of its process, time. */
type Step =
  | { readonly do: "command"; readonly command: PresenceCommand }
  | { readonly do: "probe"; readonly works: boolean }
  | { readonly do: "spawn" | "ready" | "begin" | "idle" | "active" }
  | { readonly do: "exit"; readonly code: number }
  | { readonly do: "evidence"; readonly confirms: boolean }
  | { readonly do: "wait"; readonly ms: number }

const command = (type: string, more: object = {}): Step =>
  ({ do: "command", command: { type, ...more } }) as Step

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Step>({ do: "probe", works: true }) },
  { weight: 5, arbitrary: fc.constantFrom<Step>({ do: "spawn" }, { do: "ready" }) },
  { weight: 5, arbitrary: fc.constantFrom<Step>({ do: "begin" }, { do: "evidence", confirms: true }) },
  {
    weight: 10,
    arbitrary: fc.constantFrom<Step>(
      command("WakePresence"),
      command("WakePresence", { intent: "fresh", override: true }),
      command("StopPresence"),
      command("StartPresence"),
      command("RenewPresence"),
      command("RefreshPresence"),
      command("ResetCrashLoop"),
      command("DeclarePresence"),
      command("SelfDone", { how: "self" }),
      { do: "probe", works: false },
      { do: "evidence", confirms: false },
      { do: "idle" },
      { do: "active" }
    )
  },
  { weight: 4, arbitrary: fc.constantFrom<Step>({ do: "exit", code: 0 }, { do: "exit", code: 1 }) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(1, 1_000, 60_000, 400_000).map((ms): Step => ({ do: "wait", ms }))
  },
  {
    weight: 5,
    arbitrary: fc.constantFrom("t", "u", undefined).map((topic) => command("SendMessage", { topic }))
  }
)

/** What must be true of any history, kept by the simplest means. */
class Reference {
  open: string | undefined
  readonly closed = new Set<string>()
  readonly accepted: Array<string> = []
  readonly fate = new Map<string, string>()
  stopWanted = false
  /** What the open session was handed. */
  readonly handed = new Set<string>()

  see({ type, ...data }: PresenceFact & { readonly [key: string]: unknown }): void {
    const { sessionId, messageId } = data as { readonly sessionId?: string; readonly messageId?: string }
    switch (type) {
      case "WakeModeChosen":
        expect(this.open, "two sessions at a time").toBeUndefined()
        expect(this.stopWanted, "a start of what was stopped").toBe(false)
        this.open = sessionId
        this.handed.clear()
        break
      case "SessionEnded":
        expect(sessionId).toBe(this.open)
        this.close(data.death === true, data.reason as string)
        break
      case "WakeFailed":
        if (data.phase === "spawn") this.close(true, "exit")
        break
      case "PresenceStopped":
        this.stopWanted = true
        break
      case "PresenceStarted":
        this.stopWanted = false
        break
      case "MessageAccepted":
        expect(this.stopWanted, "a message to what was stopped").toBe(false)
        this.accepted.push(messageId as string)
        break
      case "DeliveryAttempted": {
        const first = this.accepted.find((id) => !this.fate.has(id))
        expect(messageId, "out of order").toBe(first)
        this.handed.add(messageId as string)
        break
      }
      case "DeliveryConfirmed":
      case "MessageFailed":
        this.fate.set(messageId as string, type)
        break
      case "DeliveryUnconfirmed":
        if (data.final === true) this.fate.set(messageId as string, type)
    }
  }

  private close(death: boolean, reason: string): void {
    const wanted = [
      "stop",
      "idle",
      "renew",
      "self-fresh",
      "remove",
      "shutdown",
      "hub-fault",
      "ephemeral-done",
      "ephemeral-unarmed"
    ]
    if (wanted.includes(reason)) expect(death, `a death by ${reason}`).toBe(false)
    this.closed.add(this.open as string)
    this.open = undefined
  }
}

/** A presence under test, with its journal folded into projections beside it. */
class Run {
  state: PresenceState = given()
  now = 1_000
  readonly reference = new Reference()
  readonly rows = new RowFold(registry)
  readonly letters = new RowFold(messages)
  #sequence = 0

  constructor(
    readonly peer: { readonly restart: "onDemand" | "always"; readonly wake: "shared" | "ephemeral" }
  ) {}

  apply(facts: ReadonlyArray<PresenceFact>): void {
    for (const fact of facts) {
      const before = this.state
      const after = next(before, { ...fact, at: this.now } as Happening)
      expect(after, `${fact.type} in ${before.name}`).toBeDefined()
      this.state = after as PresenceState
      const { type, ...data } = fact
      const event = {
        stream: `presence/${identity}`,
        offset: this.state.offset as Offset,
        version: this.state.version,
        at: this.now,
        state: this.state.name,
        type,
        data: { incarnation: 1, ...data } as EventData
      } as unknown as RecordedEvent
      this.rows.apply(event)
      this.letters.apply(event)
      this.reference.see(fact as never)
    }
  }

  send(command: PresenceCommand): void {
    const facts = outcome(decide(this.state, command, { now: this.now, peer: this.peer }))
    // One that is being ended cannot be woken; the machine says so, and the hub refuses.
    if (command.type === "WakePresence" && this.state.name === "ending") return
    if (Array.isArray(facts)) this.apply(facts as ReadonlyArray<PresenceFact>)
  }

  step(step: Step): void {
    const sessionId = this.state.context.session?.id ?? "none"
    switch (step.do) {
      case "command":
        return this.send(this.filled(step.command))
      case "probe":
        return this.send(this.probed(step.works))
      case "spawn":
        return this.send({
          type: "ReportSpawned",
          sessionId,
          pid: 1,
          startTime: "1",
          bootId: "b",
          tokenSha256: ""
        })
      case "ready":
        return this.send({ type: "ReportReady", sessionId, evidence: "alive", afterMs: 0, outputOffset: 0 })
      case "begin":
        return this.send({ type: "BeginDelivery", sessionId })
      case "idle":
        return this.send({ type: "EndSession", sessionId, reason: "idle", idleForMs: 1 })
      case "active":
        return this.send({ type: "ReportActivity", sessionId, kind: "output", activeAt: this.now })
      case "exit":
        return this.send({
          type: "ReportSessionEnded",
          sessionId,
          code: step.code,
          signal: null,
          detectedBy: "exit",
          outputTail: null
        })
      case "evidence":
        return this.judge(step.confirms)
      case "wait":
        return this.wait(step.ms)
    }
  }

  private filled(command: PresenceCommand): PresenceCommand {
    if (command.type !== "SendMessage") return command
    this.#sequence += 1
    const from = { personality: "a", runtime: "process", intelligence: "artificial" } as const
    return { ...command, messageId: `m${this.#sequence}`, from, body: "x" }
  }

  private probed(works: boolean): PresenceCommand {
    this.#sequence += 1
    return {
      type: "ReportProbe",
      sessionId: `S${this.#sequence}`,
      ...(!works && { problem: { reason: "cwd-missing" as const, detail: "" } }),
      host: "process",
      canResume: true,
      isFound: true,
      freshArgv: ["x"],
      resumeArgv: ["x"],
      cwd: "/",
      bootMs: 30_000,
      idleMs: 3_600_000
    }
  }

  private judge(confirms: boolean): void {
    const { inFlight } = this.state.context
    if (!inFlight) return
    const { messageId, attempts, sessionId } = inFlight
    this.send(
      confirms
        ? { type: "ConfirmDelivery", messageId, evidence: "ack" }
        : { type: "ReportNoEvidence", sessionId, messageId, attempt: attempts, waitedMs: 1 }
    )
  }

  /** Time passes, and what falls due meanwhile happens. */
  private wait(ms: number): void {
    const until = this.now + ms
    for (;;) {
      const [due] = [...this.state.deadlines].sort((a, b) => a.dueAt - b.dueAt)
      if (!due || due.dueAt > until) break
      this.now = Math.max(this.now, due.dueAt)
      const { incarnation: _, ...fact } = due.event as unknown as { readonly incarnation: number }
      this.apply([fact as unknown as PresenceFact])
    }
    this.now = until
  }
}

const property = (check: (run: Run) => void) =>
  fc.property(
    fc.constantFrom("onDemand" as const, "always" as const),
    fc.constantFrom("shared" as const, "ephemeral" as const),
    fc.array(steps, { minLength: 1, maxLength: 120 }),
    (restart, wake, all) => {
      const run = new Run({ restart, wake })
      run.send({ type: "DeclarePresence" })
      for (const step of all) {
        run.step(step)
        check(run)
      }
    }
  )
const runs = { numRuns: 150 }

describe("a presence, whatever comes to it", () => {
  it("has one session at a time, ended once, no wanted end a death, its messages in order, and stays stopped", () => {
    fc.assert(
      property(({ state, reference }) => {
        expect(state.context.session?.id).toBe(reference.open)
        const isStopped = state.name === "stopped" || state.context.stopRequested
        expect(isStopped).toBe(reference.stopWanted)
      }),
      runs
    )
  })

  it("keeps every message until something has become of it", () => {
    fc.assert(
      property(({ state: { context }, reference }) => {
        const kept = [...(context.inFlight ? [context.inFlight] : []), ...context.queue].map(
          ({ messageId }) => messageId
        )
        expect(kept).toEqual(reference.accepted.filter((id) => !reference.fate.has(id)))
      }),
      runs
    )
  })

  it("has a fresh session for each message, when it is ephemeral", () => {
    fc.assert(
      property(({ state: { context }, peer, reference }) => {
        if (peer.wake !== "ephemeral") return
        expect(reference.handed.size).toBeLessThanOrEqual(1)
        expect(context.session?.mode ?? "fresh").toBe("fresh")
      }),
      runs
    )
  })

  it("shows in the registry and among the messages what it is", () => {
    fc.assert(
      property(({ state, rows, letters, reference }) => {
        const row = rows.rows.get(`presence/${identity}`)
        const { context, name } = state
        expect(row).toMatchObject({
          state: name,
          session_id: context.session?.id ?? null,
          queue_depth: context.queue.length + (context.inFlight ? 1 : 0),
          in_flight: context.inFlight?.messageId ?? null,
          eager: context.eager ? 1 : 0
        })
        const isOwedByRow =
          row?.restart === "always" ||
          Number(row?.queue_depth) > 0 ||
          row?.in_flight !== null ||
          row?.eager === 1
        expect(isOwedByRow).toBe(isOwed(context))
        const waiting = [...letters.rows.values()].filter((letter) =>
          ["queued", "attempted"].includes(String(letter.state))
        )
        expect(waiting).toHaveLength(reference.accepted.length - reference.fate.size)
      }),
      runs
    )
  })

  it("is never held, nor left asleep, when it is always on", () => {
    fc.assert(
      property(({ state, peer }) => {
        if (peer.restart !== "always") return
        expect(state.name).not.toBe("crashLoop")
        expect(state.name.startsWith("asleep.")).toBe(false)
      }),
      runs
    )
  })
})
