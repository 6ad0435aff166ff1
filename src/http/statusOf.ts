/** The status record: what a running hub says of itself (contracts: hub 5). */
import type { HubStatus } from "./api.js"
import type { Moment } from "./asOf.js"
import type { HubServices } from "./hubHandlers.js"

export const statusOf = (
  { hub, workspace, logLevel, journal, system, claimKind, runKind, presences, followers }: HubServices,
  { now, offset }: Moment,
  health: HubStatus["health"]
): HubStatus => {
  const { name: state, context } = hub()
  const { deadlineAt, isCut, startedAt } = context
  return {
    state,
    bootId: context.bootId,
    pid: context.pid,
    version: context.version,
    url: context.url,
    port: context.port,
    portSource: context.portSource,
    socket: context.socket,
    workspace,
    journalId: journal.journalId,
    startedAt,
    readyAt: context.readyAt,
    uptimeMs: now - startedAt,
    offset,
    safe: context.safe,
    logLevel,
    boots: context.boots,
    lastBoot: context.lastBoot,
    drain: deadlineAt === null ? null : { deadlineAt, cutShort: isCut },
    counts: {
      claimsHeld: claimKind.index.count("held.active", "held.grace", "held.offered"),
      runsRunning: runKind.index.running().length,
      peersLive: presences.live,
      followers: followers()
    },
    lastCommandAt: system.lastCommandAt(),
    health
  }
}
