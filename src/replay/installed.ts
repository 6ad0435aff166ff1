/** The code that the past is folded through: the actor kinds and projections of this version. */
import type { ActorHistory } from "../actors/ActorKind.js"
import { claimHistory } from "../actors/claim/claimKind.js"
import { hubHistory } from "../actors/hub/hubKind.js"
import { peerHistory } from "../actors/peer/peerKind.js"
import { presenceHistory } from "../actors/presence/presenceKind.js"
import { runHistory } from "../actors/run/runKind.js"
import { senseHistory } from "../actors/sense/senseKind.js"
import { serverHistory } from "../actors/server/serverKind.js"
import { workflowHistory } from "../actors/workflow/workflowKind.js"
import type { EventTypes } from "../events/Upcasters.js"
import { claims } from "../projections/claims.js"
import { health } from "../projections/health.js"
import { messages } from "../projections/messages.js"
import type { Projection } from "../projections/Projection.js"
import { registry } from "../projections/registry.js"
import { senses } from "../projections/senses.js"
import { servers } from "../projections/servers.js"
import { signals } from "../projections/signals.js"
import { threadRounds } from "../projections/threadRounds.js"
import { workflowRuns } from "../projections/workflowRuns.js"
import { workflows } from "../projections/workflows.js"

export const histories: ReadonlyMap<string, ActorHistory> = new Map(
  [
    hubHistory,
    claimHistory,
    senseHistory,
    workflowHistory,
    runHistory,
    peerHistory,
    presenceHistory,
    serverHistory
  ].map((history) => [history.name, history])
)

export const knownEvents: EventTypes = new Map(
  [...histories.values()].flatMap(({ upcasters }) => Object.entries(upcasters))
)

export const projections: ReadonlyArray<Projection> = [
  claims,
  health,
  senses,
  signals,
  workflows,
  workflowRuns,
  threadRounds,
  registry,
  messages,
  servers
]
