/**
 * Puts a hub together and walks it through one boot: lock, journal, port, recovery, ready. The steps are the hub's own machine,
 * driven like any other actor; what runs in its states stands in `lifecycle.ts` (contracts: hub 3.2).
 */
import { join } from "node:path"
import { Effect, type Layer, Queue, type Scope } from "effect"
import type { ActorKind } from "../actors/ActorKind.js"
import { makeClaimKind } from "../actors/claim/claimKind.js"
import type { HubCommand } from "../actors/hub/HubCommand.js"
import type { HubReason } from "../actors/hub/HubRefusal.js"
import { makeHubKind } from "../actors/hub/hubKind.js"
import type { Refused } from "../actors/Refused.js"
import { makeRunId } from "../actors/run/makeRunId.js"
import { makeServerKind } from "../actors/server/serverKind.js"
import type { AuthFileInvalid } from "../config/agents.js"
import type { ConfigInvalid } from "../config/ConfigProblem.js"
import { loadWorkspaceConfig } from "../config/loadWorkspaceConfig.js"
import { environment } from "../config/process.js"
import type { Settings } from "../config/Settings.js"
import { readStances, type StanceRegistryInvalid } from "../config/stances.js"
import { makeBlobs } from "../events/Blobs.js"
import { idOf, type Offset, StreamId } from "../events/Event.js"
import type { JournalUnavailable } from "../events/Journal.js"
import { currentFormat, type FormatTooNew } from "../events/migrations.js"
import { randomHex } from "../events/randomHex.js"
import type { UnknownEvent } from "../events/Upcasters.js"
import type { Writer } from "../events/Writer.js"
import { Followers } from "../http/Followers.js"
import { senseWorkerEntry, workflowWorkerEntry } from "../runtimes/entries.js"
import { checkOldLedger, type LedgerUnreadable } from "../runtimes/readOldLedger.js"
import { WorkerLog } from "../runtimes/WorkerLog.js"
import { makeWorkers } from "../runtimes/Workers.js"
import { defaultLimits, type WorkflowLimits } from "../runtimes/workflowInvocations.js"
import { agentFilesOf, makeHubIdentities } from "./access.js"
import { startAuditLog } from "./auditLog.js"
import { type TakeBackup, takeOnThread } from "./Backups.js"
import { bind } from "./bind.js"
import { CurrentConfig, makeConfiguration } from "./Configuration.js"
import { makeGate } from "./gate.js"
import type { HubParts } from "./HubParts.js"
import { holdLock, journalPath } from "./holdLock.js"
import { type HubFile, processStartedAt, removeHubFile, writeHubFile } from "./hubFile.js"
import { AnsweredCommands, startHubLog } from "./hubLog.js"
import { makeLedgerImporter } from "./LedgerImporter.js"
import { type Boot, makeInvocations } from "./lifecycle.js"
import { makeArchive } from "./makeArchive.js"
import { makeMetrics } from "./metrics.js"
import { observeHub } from "./observeHub.js"
import { openServices } from "./openServices.js"
import { openSocket } from "./openSocket.js"
import { makePostman } from "./Postman.js"
import { makePeers } from "./peers.js"
import { hubTokens, prepareStateDir } from "./preconditions.js"
import { makeRebuild } from "./rebuildRecorded.js"
import { makeDefectQueue, recordDefects } from "./recordDefects.js"
import { makeRunKinds, makeRuns, type Runs } from "./runs.js"
import { announceRuntime } from "./runtimeFile.js"
import { makeHubSenseKind, makeSenses } from "./Senses.js"
import {
  type JournalCorrupt,
  type Locked,
  type PortInUse,
  RecoveryFailed,
  type StartPrecondition
} from "./StartFailure.js"
import { makeSweeper } from "./Sweeper.js"
import { makeHubServer } from "./serveHttp.js"
import * as ThreadedWriter from "./ThreadedWriter.js"
import { startTelemetry } from "./telemetry.js"

export type StartFailure =
  | ConfigInvalid
  | Locked
  | StartPrecondition
  | StanceRegistryInvalid
  | AuthFileInvalid
  | LedgerUnreadable
  | FormatTooNew
  | JournalCorrupt
  | JournalUnavailable
  | UnknownEvent
  | PortInUse
  | RecoveryFailed

export interface HubHandle {
  readonly url: string
  readonly port: number
  readonly bootId: string
  /** Where the journal stood before this boot. */
  readonly before: Offset
  readonly parts: HubParts
  /** Begins to drain; refused while claims or runs are active, unless forced. */
  readonly stop: (options: {
    readonly force: boolean
    readonly reason: string
  }) => Effect.Effect<void, Refused<HubReason>>
  /** Ends a drain that takes too long. */
  readonly cutShort: Effect.Effect<void>
  /** Completes once the hub has stopped and said so in its journal; fails when it could not go on. */
  readonly stopped: Effect.Effect<{ readonly clean: boolean }, RecoveryFailed>
}

export interface StartOptions {
  /** Runs once the port is bound, before the hub is ready: from here on it can be stopped. */
  readonly onBound?: (hub: HubHandle) => Effect.Effect<void, never, Scope.Scope>
  /** Drawn by whoever starts the hub and wants to know it again; fresh when left out. */
  readonly bootId?: string | undefined
  /** How the journal at a path is written: by default on a thread of its own. */
  readonly writer?: (path: string) => Layer.Layer<Writer, JournalUnavailable | FormatTooNew | UnknownEvent>
  /** The file that a group of senses runs in its process. */
  readonly senseWorker?: string
  /** The file that a workflow's worker runs. */
  readonly workflowWorker?: string
  /** How long user code may take where nobody configures it; for tests, which cannot wait so long. */
  readonly workflowLimits?: WorkflowLimits
  /** False where the state folder goes with the process: clients of the old ledger are told so. */
  readonly isLasting?: boolean
  /** How a backup that is due is made: by default on a thread of its own. */
  readonly takeBackup?: TakeBackup
  /** Whether changed files are noticed; by default they are. */
  readonly watch?: boolean
}

/** Starts a hub in this process and completes when it is ready. It lets go of everything with the scope. */
export const startHub = (
  settings: Settings,
  version: string,
  {
    writer = ThreadedWriter.layer,
    onBound = () => Effect.void,
    bootId: drawn,
    senseWorker = senseWorkerEntry,
    workflowWorker = workflowWorkerEntry,
    workflowLimits = defaultLimits,
    takeBackup = takeOnThread(),
    watch = true,
    isLasting = true
  }: StartOptions = {}
): Effect.Effect<HubHandle, StartFailure, Scope.Scope> =>
  Effect.gen(function* () {
    const { stateDir } = settings
    const stancePath = settings["ledger.stance_registry"]
    const config = new CurrentConfig(yield* loadWorkspaceConfig(settings.workspace))
    const stances = stancePath === undefined ? undefined : yield* readStances(stancePath)
    const agentFiles = yield* agentFilesOf(settings)
    yield* checkOldLedger(settings["ledger.import"])
    yield* prepareStateDir(stateDir)
    yield* holdLock(stateDir)
    const tokens = yield* hubTokens(settings)
    const bootId = drawn ?? (yield* randomHex(32))
    const observed = yield* observeHub
    const defects = yield* makeDefectQueue
    const commands = new AnsweredCommands()
    const metrics = makeMetrics()
    const tracing = yield* startTelemetry(settings, metrics, { version, bootId })

    // The kinds are made before the hub that they are part of: what runs in their states asks for it when it runs.
    let boot: Boot | undefined
    const theBoot = (): Boot => boot as Boot
    const claimKind = makeClaimKind({
      defaultTtlMs: settings["ledger.lease.ttl"],
      defaultGraceMs: settings["ledger.lease.grace"],
      maxHeldPerPeer: settings["ledger.max_held_per_peer"],
      stances,
      ...(agentFiles && { heldLimitOf: agentFiles.heldLimitOf }),
      isLive: (presence) => peers.presenceKind.index.isLive(idOf(StreamId.make(presence)))
    })
    const serverKind = makeServerKind({
      ttlMs: settings["servers.ttl"],
      forgetAfterMs: settings["servers.forget_after"],
      now: () => theBoot().clock.now(),
      listensSince: () => theBoot().system.floorAt()
    })
    const peers = makePeers(settings, theBoot)
    let runs: Runs | undefined
    const theRuns = (): Runs => runs as Runs
    const runKinds = makeRunKinds(
      () => theRuns().runtime,
      () => observed.hub().name.startsWith("draining.")
    )
    const { workflowKind, runKind } = runKinds
    const hubKind = makeHubKind({
      drainTimeoutMs: settings["hub.drain_timeout"],
      activeWork: () => ({ claims: claimKind.index.leased(), runs: runKinds.index.running() }),
      outstanding: () =>
        theBoot()
          .system.running()
          .map(({ stream, src }) => ({ stream, what: src })),
      invocations: makeInvocations(theBoot)
    })

    const senseKind = makeHubSenseKind(config, () => theBoot().senses.world)

    const path = journalPath(stateDir)
    const services = yield* openServices(
      path,
      writer(path),
      { metrics, tracing },
      {
        kinds: [
          hubKind,
          claimKind,
          senseKind,
          workflowKind,
          runKind,
          peers.peerKind,
          peers.presenceKind,
          serverKind
        ],
        unheld: hubKind,
        gate: makeGate(hubKind),
        onCommitted: (changes) => {
          observed.committed(hubKind, changes)
          theRuns().observe(changes)
        },
        onCarriedOut: (envelope, outcome) => {
          const now = theBoot().clock.now()
          commands.add(envelope, outcome, now)
          metrics.carriedOut(envelope, outcome, now)
        },
        onDefect: (defect) => Queue.unsafeOffer(defects, defect),
        onFatal: observed.died,
        resume: ({ reason, since, refused }) => ({
          kind: hubKind,
          id: "",
          command: { type: "ResumeWrites", reason, since, refused }
        })
      }
    )
    const { system, clock, projector, head } = services
    yield* Effect.forkScoped(
      recordDefects(defects, system, hubKind, { now: clock.now, count: metrics.defect })
    )
    const configuration = yield* makeConfiguration(settings.workspace, config, {
      system,
      read: projector.read,
      hubKind,
      senseKind,
      applyWorkflows: (changed) => theRuns().apply(changed)
    })
    const workers = makeWorkers({
      journalId: services.journal.journalId,
      workspace: settings.workspace,
      environment,
      log: new WorkerLog(join(stateDir, "workers.log"), { now: clock.now })
    })
    const blobs = makeBlobs(join(stateDir, "blobs"))
    runs = yield* makeRuns({
      ...services,
      ...runKinds,
      claimKind,
      presenceKind: peers.presenceKind,
      peers: peers.peerKind.index,
      blobs,
      workers,
      settings,
      config: () => config.get().config,
      now: clock.now,
      entry: workflowWorker,
      limits: workflowLimits
    })
    const senses = yield* makeSenses({
      ...services,
      settings,
      now: clock.now,
      kind: senseKind,
      configuration,
      workers,
      entry: senseWorker,
      watch,
      launches: {
        kind: workflowKind as ActorKind,
        request: (launch) =>
          Effect.map(makeRunId(clock.now()), (runId) => ({ type: "RequestRun", runId, ...launch }))
      },
      reloadWorkflow: (workflow) => Effect.ignore(theRuns().reload(workflow, "hot_reload", "hub"))
    })
    const log = yield* startHubLog({
      journal: services.journal,
      refusals: system.refusals,
      settings,
      bootId,
      before: head.offset,
      now: clock.now,
      commands
    })
    const audit = yield* startAuditLog({
      journal: services.journal,
      refusals: system.refusals,
      settings,
      before: head.offset,
      now: clock.now
    })
    const rebuild = makeRebuild(projector, system, hubKind)
    const parts: HubParts = {
      ...services,
      ...peers,
      settings,
      senseKind,
      senses,
      configuration,
      claimKind,
      hubKind,
      workflowKind,
      runKind,
      runs,
      blobs,
      serverKind,
      followers: new Followers(),
      metrics,
      tracing,
      log,
      agentFiles,
      identities: makeHubIdentities(tokens, agentFiles, peers, clock.now),
      audit,
      sweeper: makeSweeper({ system, kind: claimKind, projector, now: clock.now, settings, audit }),
      importer: makeLedgerImporter({
        ...services,
        claimKind,
        hubKind,
        hub: observed.hub,
        now: clock.now,
        settings
      }),
      postman: makePostman({ system, peers: peers.peerKind.index, kind: peers.presenceKind }),
      hub: observed.hub,
      archive: makeArchive(
        { journal: services.journal, rows: projector.read, writer: services.writer },
        system,
        hubKind,
        observed.hub,
        tracing
      ),
      takeBackup,
      version,
      rebuild: (name, by) => tracing.span("projection.rebuild", rebuild(name, by)),
      onDefect: (error) =>
        Queue.unsafeOffer(defects, { stream: undefined, offset: null, where: "invocation", error })
    }
    metrics.observe(parts)
    system.refusals.listen(({ reason }) => metrics.refused(reason._tag))
    // Not acquired: what is forked for a request must stay interruptible, and would inherit that it is not.
    const server = yield* makeHubServer(parts, { isLasting })
    yield* Effect.addFinalizer(() => server.close)
    boot = { ...parts, server }

    const told = (command: HubCommand) =>
      Effect.mapError(
        system.send(hubKind, "", command, { by: "hub" }),
        ({ reason }) =>
          new RecoveryFailed({ problem: `it cannot write its journal: ${JSON.stringify(reason)}` })
      )
    yield* told({
      type: "StartHub",
      bootId,
      pid: process.pid,
      version,
      node: process.version,
      format: currentFormat,
      safe: false,
      head: { offset: head.offset, at: head.at }
    })
    const bound = yield* bind(server, settings, observed.hub().context).pipe(
      Effect.tapError((error) =>
        told({ type: "FailStart", phase: "bind", tag: error._tag, message: error.message })
      )
    )
    const url = urlOf(settings["http.host"], bound.port)
    const socket = yield* openSocket(server, settings)
    yield* announce(settings, { bootId, version, url, port: bound.port, socket })
    const { port, portSource, reassigned } = bound
    yield* told({
      type: "BindHub",
      url,
      host: settings["http.host"],
      port,
      portSource,
      socket,
      reassigned
    })
    const handle: HubHandle = {
      url,
      port,
      bootId,
      before: head.offset,
      parts,
      stop: ({ force, reason }) =>
        Effect.asVoid(system.send(hubKind, "", { type: "DrainHub", force, reason }, { by: "operator" })),
      cutShort: Effect.ignore(
        system.send(hubKind, "", { type: "CutDrainShort", cause: "signal" }, { by: "operator" })
      ),
      stopped: observed.ended
    }
    yield* onBound(handle)
    yield* observed.ready
    yield* announceRuntime(settings, { port: bound.port, now: clock.now() }).pipe(
      // Whoever waits for the file would wait for ever: the hub ends in good order instead.
      Effect.tapError(() =>
        Effect.ignore(
          Effect.zipRight(handle.stop({ force: true, reason: "no runtime file" }), observed.ended)
        )
      )
    )
    return handle
  })

const urlOf = (host: string, port: number): string =>
  `http://${host.includes(":") ? `[${host}]` : host}:${port}`

/** Writes `hub.json`, and removes it when the hub ends. */
const announce = (
  { stateDir, workspace, "http.host": host }: Settings,
  announced: Pick<HubFile, "bootId" | "version" | "url" | "port" | "socket">
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.flatMap(Effect.clock, (clock) =>
      Effect.sync(() =>
        writeHubFile(stateDir, {
          format: 1,
          ...announced,
          pid: process.pid,
          pidStartedAt: processStartedAt(process.pid),
          host,
          startedAt: new Date(clock.unsafeCurrentTimeMillis()).toISOString(),
          workspace
        })
      )
    ),
    () => Effect.sync(() => removeHubFile(stateDir, announced.bootId))
  )
