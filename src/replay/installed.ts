/** The code that the past is folded through: the actor kinds and projections of this version. */
import type { ActorHistory } from "../actors/ActorKind.js"
import { claimHistory } from "../actors/claim/claimKind.js"
import { hubHistory } from "../actors/hub/hubKind.js"
import { senseHistory } from "../actors/sense/senseKind.js"
import type { EventTypes } from "../events/Upcasters.js"
import { claims } from "../projections/claims.js"
import { health } from "../projections/health.js"
import type { Projection } from "../projections/Projection.js"
import { senses } from "../projections/senses.js"
import { signals } from "../projections/signals.js"

export const histories: ReadonlyMap<string, ActorHistory> = new Map(
  [hubHistory, claimHistory, senseHistory].map((history) => [history.name, history])
)

export const knownEvents: EventTypes = new Map(
  [...histories.values()].flatMap(({ upcasters }) => Object.entries(upcasters))
)

export const projections: ReadonlyArray<Projection> = [claims, health, senses, signals]
