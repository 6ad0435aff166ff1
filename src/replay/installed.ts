/** The code that the past is folded through: the actor kinds and projections of this version. */
import type { ActorHistory } from "../actors/ActorKind.js"
import { claimHistory } from "../actors/claim/claimKind.js"
import { hubHistory } from "../actors/hub/hubKind.js"
import { peerHistory } from "../actors/peer/peerKind.js"
import { presenceHistory } from "../actors/presence/presenceKind.js"
import { serverHistory } from "../actors/server/serverKind.js"
import type { EventTypes } from "../events/Upcasters.js"
import { claims } from "../projections/claims.js"
import { health } from "../projections/health.js"
import { messages } from "../projections/messages.js"
import type { Projection } from "../projections/Projection.js"
import { registry } from "../projections/registry.js"
import { servers } from "../projections/servers.js"

export const histories: ReadonlyMap<string, ActorHistory> = new Map(
  [hubHistory, claimHistory, serverHistory, peerHistory, presenceHistory].map((history) => [
    history.name,
    history
  ])
)

export const knownEvents: EventTypes = new Map(
  [...histories.values()].flatMap(({ upcasters }) => Object.entries(upcasters))
)

export const projections: ReadonlyArray<Projection> = [claims, health, servers, registry, messages]
