/** What runs while the hub is in a state: its machine's invocations (contracts: hub 3.1). */
import { Effect, Either } from "effect"
import type { InvocationCall, InvocationDefinition } from "../actors/ActorKind.js"
import type { ClaimSeed, OpenMark } from "../actors/claim/ClaimIndex.js"
import type { HubCommand } from "../actors/hub/HubCommand.js"
import { makeStreamId, type Offset } from "../events/Event.js"
import type { JournalUnavailable } from "../events/Journal.js"
import type { HttpServer } from "../http/HttpServer.js"
import { countByState, countMarks, leasedClaims, openClaims } from "../projections/claimQueries.js"
import type { ReadRows } from "../projections/Projector.js"
import { listServers } from "../projections/serverQueries.js"
import { reapOrphans } from "../runtimes/reapOrphans.js"
import { scheduleBackups } from "./Backups.js"
import { boundClaims } from "./boundClaims.js"
import { makeClockWatch } from "./clockWatch.js"
import { declarePresences } from "./declarePresences.js"
import type { HubParts } from "./HubParts.js"
import { lifecycleLog } from "./lifecycleLog.js"
import { notices } from "./notices.js"
import { watch } from "./probes.js"
import { seedPeers } from "./seedPeers.js"
import { keepRegistered, unregister } from "./selfRegistration.js"
import { serveReflexes } from "./serveReflexes.js"
import { watchStateDir } from "./watchStateDir.js"

const hubStream = makeStreamId("hub", "")
const drainStepMs = 20
/** Finalizers of interrupted invocations get so long. */
const interruptMs = 5_000

/** What an invocation does of the hub that it runs in. */
export interface Boot extends HubParts {
  readonly server: HttpServer
}

export type HubInvocations = {
  readonly [Src in "recover" | "serve" | "drain" | "close"]: InvocationDefinition
}

/** `boot` is asked when an invocation runs: the hub's kind is made before the hub is. */
export const makeInvocations = (boot: () => Boot): HubInvocations => {
  const running =
    (body: (boot: Boot, call: InvocationCall) => Effect.Effect<void>) => (call: InvocationCall) =>
      Effect.suspend(() => body(boot(), call))
  /** Seen from outside as one piece of work. */
  const told = (name: string, body: Parameters<typeof running>[0]) =>
    running((parts, call) => parts.tracing.span(`hub.${name}`, body(parts, call)))
  return {
    recover: {
      run: told("recover", (parts, call) => Effect.orDie(recover(parts, call))),
      lost: (cause): HubCommand => ({
        type: "FailStart",
        phase: "recover",
        tag: "Defect",
        message: String(cause)
      })
    },
    serve: {
      run: running(serve),
      // Sweeps and deadlines stop with it; nothing that was acknowledged is at risk, so the hub ends in good order.
      lost: (): HubCommand => ({ type: "DrainHub", force: true, reason: "serve was lost" })
    },
    drain: { run: told("drain", drain), lost: (): HubCommand => ({ type: "CompleteDrain" }) },
    close: { run: told("close", close), lost: (): HubCommand => ({ type: "StopHub" }) }
  }
}

/** Takes up what was under way: claims in memory, deadlines armed; nothing fires yet. */
const recover = (parts: Boot, call: InvocationCall) =>
  Effect.gen(function* () {
    const { system, claimKind, presenceKind, serverKind, projector, clock, sessionsRoot, senses, runs } =
      parts
    const startedAt = clock.now()
    claimKind.index.seed(yield* readSeed(projector.read))
    yield* seedPeers(projector.read, parts)
    const open = new Set([...presenceKind.index.all()].map(({ sessionId }) => sessionId))
    const orphans = yield* reapOrphans(sessionsRoot, (id) => open.has(id))
    parts.orphans.note(orphans.length, startedAt)
    for (const { sessionId, pid } of orphans) {
      yield* Effect.logWarning(`ended process ${pid}: its session ${sessionId} is over`)
    }
    serverKind.index.present = (yield* listServers(projector.read)).length
    const { streams, replayed, deadlines, invocations, quarantined } = yield* system.recover
    yield* senses.recover
    yield* runs.takeUp
    const imported = yield* Effect.either(parts.importer.atStart)
    if (Either.isLeft(imported)) {
      // Without the old marks and claims work could be given away twice.
      const { _tag: tag, message } = imported.left
      const failed: HubCommand = { type: "FailStart", phase: "import", tag, message }
      return yield* call.send(failed)
    }
    const recovered: HubCommand = {
      type: "CompleteRecovery",
      streams,
      eventsReplayed: replayed,
      deadlinesArmed: deadlines,
      invocations,
      quarantined: quarantined.map(({ stream, offset }) => ({ stream, offset })),
      tookMs: clock.now() - startedAt
    }
    yield* call.send(recovered)
  })

/** How the claims stand in the journal: what the index of them begins with. */
export const readSeed = (read: ReadRows): Effect.Effect<ClaimSeed, JournalUnavailable> =>
  Effect.gen(function* () {
    const open = yield* openClaims(read)
    const leased = yield* leasedClaims(read)
    return {
      counts: yield* countByState(read),
      listed: yield* countMarks(read),
      open: open.map(
        (row): OpenMark => ({
          id: row.id,
          stanceTarget: row.stance ?? "",
          baseIntensity: row.base ?? 0,
          decayRate: row.decay ?? 0,
          publishedAt: row.published_at ?? 0,
          inflations: row.inflations,
          notBefore: row.not_before ?? 0,
          firstOffset: (row.first_offset ?? 0) as Offset
        })
      ),
      leased: leased.map(({ id, peer }) => ({ id, peer: peer ?? "" }))
    }
  })

/** Everything runs: deadlines fire, invocations fork, reflexes act, the ledger is swept. */
const serve = (boot: Boot): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { system, clock, hubKind, hub, sweeper, senses, runs, settings, log, agentFiles } = boot
    const readyAt = hub().context.readyAt ?? clock.now()
    yield* system.release(readyAt, makeClockWatch(clock, system, hubKind))
    yield* senses.serve
    yield* runs.serve
    const { claimKind, presenceKind, projector, toldSenders } = boot
    yield* serveReflexes(boot, [
      boundClaims(claimKind, projector.read),
      notices(presenceKind, projector.read, toldSenders)
    ])
    yield* Effect.forkScoped(
      watch({ system, hubKind, hub, settings, log, agentFiles, orphans: boot.orphans, now: clock.now })
    )
    yield* Effect.forkScoped(keepRegistered(boot))
    yield* Effect.forkScoped(watchStateDir(system, hubKind, settings.stateDir))
    yield* Effect.forkScoped(boot.importer.watch)
    const archiveAfter = settings["journal.archive_after"]
    if (archiveAfter !== undefined) yield* Effect.forkScoped(boot.archive.schedule(archiveAfter, clock.now))
    const backupEvery = settings["journal.backup_every"]
    if (backupEvery !== undefined) {
      const services = { ...boot, now: clock.now, take: boot.takeBackup }
      yield* Effect.forkScoped(scheduleBackups(services, backupEvery))
    }
    yield* Effect.all([sweeper.schedule, declarePresences(boot, hub().offset), lifecycleLog(boot)], {
      concurrency: "unbounded",
      discard: true
    })
  }).pipe(Effect.scoped)

/** Waits until nothing is under way but the hub itself. */
const drain = (parts: Boot, call: InvocationCall): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { system, settings } = parts
    if (settings["peers.on_stop"] === "end") yield* endSessions(parts)
    for (;;) {
      const others = system.running().filter(({ stream }) => stream !== hubStream)
      if (system.waiting() === 0 && others.length === 0) break
      yield* Effect.sleep(drainStepMs)
    }
    yield* Effect.ignore(call.send({ type: "CompleteDrain" }))
  })

/** Parks every session: the next boot may go on with them. */
const endSessions = ({ system, presenceKind }: Boot): Effect.Effect<void> =>
  Effect.forEach(
    [...presenceKind.index.all()].filter(({ sessionId }) => sessionId !== null),
    ({ identity, sessionId }) =>
      Effect.ignore(
        system.send(
          presenceKind,
          identity,
          { type: "EndSession", sessionId: sessionId ?? "", reason: "shutdown" },
          { by: "hub" }
        )
      ),
    { concurrency: "unbounded", discard: true }
  )

/** Ends what is left, then the sockets; the last thing that this boot does is to say so. */
const close = (boot: Boot, call: InvocationCall): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { system, server } = boot
    yield* Effect.timeoutOption(system.quiesce(hubStream), interruptMs)
    yield* unregister(boot)
    yield* server.close
    yield* Effect.ignore(call.send({ type: "StopHub" }))
  })
