/** Workflows and runs in a hub: their kinds, what runs in their states, the reflexes between them, and how a boot takes them up. */
import { Effect, Queue, type Scope } from "effect"
import type { ActorKind } from "../actors/ActorKind.js"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { Outcome } from "../actors/CommandQueue.js"
import type { ClaimKind } from "../actors/claim/claimKind.js"
import type { PeerIndex } from "../actors/peer/PeerIndex.js"
import type { PresenceKind } from "../actors/presence/presenceKind.js"
import type { Refused } from "../actors/Refused.js"
import { RunIndex, type RunState } from "../actors/run/RunIndex.js"
import { type OfferPayload, type OfferWorld, roleOffers } from "../actors/run/roleOffers.js"
import { type OfferedMark, type PeerTurns, rolePeers } from "../actors/run/rolePeers.js"
import { makeRunKind, type RunKind } from "../actors/run/runKind.js"
import { isOver, type RunStateName } from "../actors/run/runMachine.js"
import { admission, slots } from "../actors/run/runReflexes.js"
import type { Change } from "../actors/Turn.js"
import type { WorkflowCommand } from "../actors/workflow/WorkflowCommand.js"
import type { WorkflowState } from "../actors/workflow/WorkflowIndex.js"
import type { WorkflowReason } from "../actors/workflow/WorkflowRefusal.js"
import { makeWorkflowKind, type WorkflowKind } from "../actors/workflow/workflowKind.js"
import type { Settings } from "../config/Settings.js"
import type { WorkspaceConfig } from "../config/WorkspaceConfig.js"
import type { Blobs } from "../events/Blobs.js"
import { idOf } from "../events/Event.js"
import { type Journal, JournalUnavailable } from "../events/Journal.js"
import { findClaim, listClaims } from "../projections/claimQueries.js"
import type { Projector, ReadRows } from "../projections/Projector.js"
import { findRun, listWorkflows, openRuns } from "../projections/runQueries.js"
import { outboxOf, removeAnswer, removeAnswers, runsWithAnswers } from "../runtimes/outbox.js"
import { toOutput } from "../runtimes/recordable.js"
import { reloadCommand } from "../runtimes/reloadCommand.js"
import { makeRunInvocations } from "../runtimes/runInvocations.js"
import type { Workers } from "../runtimes/Workers.js"
import { WorkflowPool } from "../runtimes/WorkflowPool.js"
import {
  makeWorkflowInvocations,
  type WorkflowLimits,
  type WorkflowRuntime
} from "../runtimes/workflowInvocations.js"
import { resolveRecipient } from "./Postman.js"
import { serveReflexes } from "./serveReflexes.js"

export interface RunKinds {
  readonly workflowKind: WorkflowKind
  readonly runKind: RunKind
  readonly index: RunIndex
  readonly pool: WorkflowPool
}

/** `runtime` is asked when an invocation runs: the kinds are made before the hub is. */
export const makeRunKinds = (runtime: () => WorkflowRuntime, isDraining: () => boolean): RunKinds => {
  const index = new RunIndex()
  const workflowKind = makeWorkflowKind(index, makeWorkflowInvocations(runtime))
  const runKind = makeRunKind({
    index,
    workflows: workflowKind.index,
    isDraining,
    invocations: makeRunInvocations(runtime)
  })
  return { workflowKind, runKind, index, pool: new WorkflowPool() }
}

export interface RunsOptions extends RunKinds {
  readonly system: ActorSystem["Type"]
  readonly journal: Journal["Type"]
  readonly projector: Projector["Type"]
  readonly workers: Workers
  readonly claimKind: ClaimKind
  readonly presenceKind: PresenceKind
  readonly peers: PeerIndex
  readonly blobs: Blobs
  readonly settings: Settings
  readonly config: () => WorkspaceConfig
  readonly now: () => number
  /** The program of a workflow's worker. */
  readonly entry: string
  readonly limits: WorkflowLimits
}

export interface Runs {
  readonly runtime: WorkflowRuntime
  /** Loads a workflow's code in a process of its own, and if it loads has the workflow go over to it. */
  readonly reload: (
    workflow: string,
    reason: "hot_reload" | "operator",
    by: string
  ) => Effect.Effect<Outcome, Refused<WorkflowReason>>
  /** Records what a restart makes true, and applies the configuration. Before any invocation forks. */
  readonly takeUp: Effect.Effect<void, JournalUnavailable | Refused>
  /** Has the workflows be as configured. */
  readonly apply: (config: WorkspaceConfig) => Effect.Effect<void>
  /** Carries out the reflexes and clears up after runs, for as long as the hub is ready. */
  readonly serve: Effect.Effect<void, never, Scope.Scope>
  /** Takes note of what was committed. */
  readonly observe: (changes: ReadonlyArray<Change>) => void
}

export const makeRuns = (options: RunsOptions): Effect.Effect<Runs> =>
  Effect.gen(function* () {
    const { pool, index, settings, journal, system, projector, workers } = options
    const { stateDir, workspace } = settings
    const changed = yield* Queue.unbounded<Change>()
    const outbox = outboxOf(stateDir)

    const workflowOf = (runId: string) => {
      const watched = index.watched(runId)
      if (watched) return Effect.succeed(watched.workflow)
      return Effect.map(findRun(projector.read, runId), (run) => run?.workflow ?? "")
    }
    const reflexes = [
      admission(options),
      slots(options, workflowOf),
      roleOffers(offerWorld(options)),
      rolePeers(peerTurns(options))
    ]
    /** What was written down and is recorded, or belongs to a run that is over, is not needed any more. */
    const clearUp = Effect.gen(function* () {
      const { before, after } = yield* Queue.take(changed)
      const { context, name } = after as RunState
      const { rounds, attempt } = (before as RunState).context
      const runId = idOf(after.stream)
      if (context.rounds > rounds) yield* removeAnswer(outbox, runId, rounds + 1, attempt)
      if (!isOver(name)) return
      yield* pool.forget(context.workflow, runId)
      yield* removeAnswers(outbox, runId)
    })
    const clearUpForEver = Effect.forever(Effect.catchAllDefect(clearUp, () => Effect.void))

    const { entry, limits } = options
    const runtime: WorkflowRuntime = {
      workers,
      pool,
      journal,
      runs: index,
      workspace,
      stateDir,
      entry,
      limits
    }
    return {
      runtime,
      reload: (workflow, reason, by) =>
        Effect.flatMap(reloadCommand(runtime, workflow, reason), (command) =>
          system.send(options.workflowKind, workflow, command, { by })
        ),
      takeUp: Effect.zipRight(takeUp(options, outbox), applyConfig(options, options.config())),
      apply: (config) => Effect.ignoreLogged(applyConfig(options, config)),
      serve: Effect.gen(function* () {
        yield* Effect.forkScoped(clearUpForEver)
        yield* serveReflexes(options, reflexes)
      }),
      observe: (changes) => {
        for (const change of changes) {
          const { kind, before, after } = change
          if (kind === options.workflowKind) pool.take(after as WorkflowState)
          if (kind.name === "hub" && after.name.startsWith("draining.")) pool.stop()
          if (kind !== options.runKind) continue
          const hasStep = (after as RunState).context.rounds > (before as RunState).context.rounds
          if (hasStep || isOver(after.name)) Queue.unsafeOffer(changed, change)
        }
      }
    }
  })

/** What the reflex between offered roles and the ledger looks up. */
const offerWorld = ({ index, runKind, claimKind, projector, blobs, now }: RunsOptions): OfferWorld => ({
  runKind,
  claimKind,
  runOf: (runId) =>
    Effect.map(findRun(projector.read, runId), (run) => ({
      workflow: run?.workflow ?? "",
      role: run?.role ?? "",
      dryRun: run?.dry_run === 1
    })),
  peerOf: (claim) => Effect.map(markOf(projector.read, claim), (mark) => mark?.payload.peer),
  offersOf: (runId) => {
    if (index.watched(runId)?.hasOffered === false) return Effect.succeed([])
    const filter = { prefix: `role:${runId}:`, limit: maxOffers, after: 0 }
    return Effect.map(listClaims(projector.read, filter, now()), (claims) =>
      claims.filter(({ record }) => record !== null).map(({ id }) => id)
    )
  },
  keep: (content, meta) =>
    Effect.mapError(
      toOutput(blobs, content, meta),
      ({ problem }) => new JournalUnavailable({ reason: "io", detail: problem })
    )
})

/** How peers that play roles are reached. */
const peerTurns = ({ runKind, presenceKind, peers, projector }: RunsOptions): PeerTurns => ({
  runKind,
  presenceKind: presenceKind as ActorKind,
  markOf: (claim) => markOf(projector.read, claim),
  identityOf: (peer, runtime) => (peers.get(peer) ? resolveRecipient(peers, peer, runtime) : undefined)
})

const markOf = (read: ReadRows, claim: string) =>
  Effect.map(findClaim(read, claim), (row): OfferedMark | undefined => {
    if (!row?.record) return undefined
    const { payload } = JSON.parse(row.record) as { readonly payload: OfferPayload }
    return { payload, grants: row.attempts ?? 0 }
  })

/** A run has at most 1,000 rounds, and an offer each at most. */
const maxOffers = 1_000

const all = { concurrency: "unbounded", discard: true } as const

const takeUp = (options: RunsOptions, outbox: string) =>
  Effect.gen(function* () {
    const { system, projector, runKind, index } = options
    const open = yield* openRuns(projector.read)
    index.seed(open.map(({ id, workflow, state }) => ({ id, workflow, state: state as RunStateName })))
    const known = yield* listWorkflows(projector.read)
    yield* Effect.forEach(known, ({ name }) => tell(options, name, hubLost), all)
    yield* Effect.forEach(
      index.busy(),
      (id) => system.send(runKind, id, { type: "SuspendRun", reason: "hub_lost" }, { by: "hub" }),
      all
    )
    for (const runId of runsWithAnswers(outbox)) {
      if (!open.some(({ id }) => id === runId)) yield* removeAnswers(outbox, runId)
    }
  })

/** Workflows that are configured are registered, others are removed. What is so already is left alone. */
const applyConfig = (options: RunsOptions, { maxRounds, workflows }: WorkspaceConfig) =>
  Effect.gen(function* () {
    const known = yield* listWorkflows(options.projector.read)
    yield* Effect.forEach(
      workflows,
      ({ name, ...settings }) =>
        tell(options, name, { type: "RegisterWorkflow", settings: { ...settings, maxRounds } }),
      all
    )
    const removed = known.filter((each) => !workflows.some(({ name }) => name === each.name))
    yield* Effect.forEach(removed, ({ name }) => tell(options, name, { type: "RemoveWorkflow" }), all)
  })

/** What nothing has changed yet since the start is taken note of here: the index and the pool see changes only. */
const tell = ({ system, workflowKind, pool }: RunsOptions, name: string, command: WorkflowCommand) =>
  Effect.map(system.send(workflowKind, name, command, { by: "hub" }), ({ state }) => {
    workflowKind.index.take(state as WorkflowState)
    pool.take(state as WorkflowState)
  })

/** Whatever worker there was, it ended with its hub. */
const hubLost: WorkflowCommand = {
  type: "RecordWorkerLoss",
  workerId: null,
  code: null,
  signal: null,
  reason: "hub_lost",
  runs: [],
  stderrTail: ""
}
