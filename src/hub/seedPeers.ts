/** What the indexes of peers and presences begin with at start, when none of them is in memory. */
import { Effect } from "effect"
import type { Registration } from "../actors/peer/PeerEvent.js"
import type { ListedPeer } from "../actors/peer/PeerIndex.js"
import type { PeerKind } from "../actors/peer/peerKind.js"
import type { ListedPresence } from "../actors/presence/PresenceIndex.js"
import type { PresenceKind } from "../actors/presence/presenceKind.js"
import type { PresenceStateName } from "../actors/presence/presenceMachine.js"
import type { Offset } from "../events/Event.js"
import type { JournalUnavailable } from "../events/Journal.js"
import type { ReadRows } from "../projections/Projector.js"
import { allActors, type StoredActor } from "../projections/registryQueries.js"

export const seedPeers = (
  read: ReadRows,
  { peerKind, presenceKind }: { readonly peerKind: PeerKind; readonly presenceKind: PresenceKind }
): Effect.Effect<void, JournalUnavailable> =>
  Effect.map(allActors(read), (rows) => {
    peerKind.index.seed(rows.filter(({ kind }) => kind === "peer").map(toPeer))
    presenceKind.index.seed(rows.filter(({ kind }) => kind === "presence").map(toPresence))
  })

const toPeer = ({ incarnation, detail }: StoredActor): ListedPeer => {
  const { personality, cwd, runtimes, defaultRuntime, intelligence, restart, resume, wake } = JSON.parse(
    detail
  ) as Registration
  const known = { personality, cwd, runtimes, defaultRuntime, intelligence, restart, resume, wake }
  return { ...known, incarnation: incarnation as Offset }
}

const toPresence = (row: StoredActor): ListedPresence => ({
  identity: row.name,
  state: row.state as PresenceStateName,
  incarnation: row.incarnation as Offset,
  restart: row.restart,
  ...policyOf(row.detail),
  sessionId: row.session_id,
  isOwed: row.restart === "always" || row.queue_depth > 0 || row.in_flight !== null || row.eager === 1,
  waiting: row.queue_depth
})

const policyOf = (detail: string): Pick<ListedPresence, "resume" | "wake"> => {
  const { resume, wake } = JSON.parse(detail) as Pick<ListedPresence, "resume" | "wake">
  return { resume, wake }
}
