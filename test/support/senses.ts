/** Senses on a clock of the test's own, computing in a process that is only played: what it does when is the test's choice. */
import { Effect } from "effect"
import type { InvocationCall } from "../../src/actors/ActorKind.js"
import type { ActorSystem } from "../../src/actors/ActorSystem.js"
import type { SenseState } from "../../src/actors/sense/decideSense.js"
import type { SenseCommand } from "../../src/actors/sense/SenseCommand.js"
import type { SenseSettings } from "../../src/actors/sense/SenseEvent.js"
import { makeSenseKind } from "../../src/actors/sense/senseKind.js"
import { idOf } from "../../src/events/Event.js"
import type { ComputeReport, ComputeRequest, SenseGroups } from "../../src/runtimes/SenseGroups.js"
import { makeSenseInvocations } from "../../src/runtimes/senseInvocations.js"

export const settings = (more: Partial<SenseSettings> = {}): SenseSettings => ({
  group: "default",
  throttleMs: 0,
  timeoutMs: 30_000,
  graceMs: 0,
  intervalsMs: [],
  on: [],
  ...more
})

export const silent: ComputeReport = { _tag: "Answered", answer: { outcome: "silent" }, durationMs: 0 }

export interface PlayedGroups extends SenseGroups {
  /** What was asked of it, in order: `member a default`, `compute a 7`, `condemn a 7`. */
  readonly asked: ReadonlyArray<string>
}

/** A group whose process is there at once, and whose computes do what `play` says; it heeds no abort unless told to. */
export const playGroups = (
  play: (sense: string, request: ComputeRequest) => Effect.Effect<ComputeReport>,
  { heedsAbort = false } = {}
): PlayedGroups => {
  const asked: Array<string> = []
  const members = new Map<string, InvocationCall>()
  const isUp = Effect.unsafeMakeLatch(false)
  let forks = 0
  const tell = (sense: string, command: SenseCommand) =>
    Effect.suspend(() => {
      const call = members.get(sense)
      return call ? Effect.ignore(call.send(command)) : Effect.void
    })
  const load = (sense: string) =>
    Effect.suspend(() => {
      forks += 1
      const workerId = `group-${forks}`
      const loaded = { workerId, pid: 1, pidStartedAt: null, hash: "h", migrations: [] }
      return Effect.zipRight(tell(sense, { type: "RecordSenseLoad", loaded }), isUp.open)
    })
  return {
    asked,
    member: (group, call) =>
      Effect.suspend(() => {
        const sense = idOf(call.stream)
        asked.push(`member ${sense} ${group}`)
        members.set(sense, call)
        return Effect.zipRight(load(sense), Effect.never)
      }),
    ready: () => isUp.await,
    compute: (sense, request) => {
      asked.push(`compute ${sense} ${request.token}`)
      return play(sense, request)
    },
    abort: (sense, token) => {
      asked.push(`abort ${sense} ${token}`)
      return heedsAbort ? Effect.void : Effect.never
    },
    condemn: (sense, token) =>
      Effect.suspend(() => {
        asked.push(`condemn ${sense} ${token}`)
        isUp.unsafeClose()
        const loss = {
          workerId: `group-${forks}`,
          code: null,
          signal: "SIGKILL",
          reason: "overdue",
          blamed: true,
          stderrTail: ""
        } as const
        return Effect.zipRight(tell(sense, { type: "RecordSenseLoss", ...loss }), load(sense))
      }),
    changed: () => Effect.void,
    reload: () => Effect.void
  }
}

/** The kind over such a group. */
export const senseKindOn = (groups: SenseGroups, now: () => number, workflows: ReadonlyArray<string> = []) =>
  makeSenseKind(
    { hasWorkflow: (name) => workflows.includes(name) },
    makeSenseInvocations(() => ({ groups, now, latestSignals: () => Effect.succeed({}) }))
  )

/** A compute that takes so long and answers nothing. */
export const takes = (ms: number) => () => Effect.delay(Effect.succeed(silent), ms)
export const endless = () => Effect.never

export const contextOf = (state: unknown) => (state as SenseState).context

export type System = ActorSystem["Type"]
