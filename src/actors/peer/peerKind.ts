/** The actor kind `peer`: who is registered under a name, in one stream `peer/<personality>`. */
import type { ActorHistory, ActorKind, InvocationDefinition } from "../ActorKind.js"
import { makeFold } from "../fold.js"
import { decidePeer, type PeerRules } from "./decidePeer.js"
import type { PeerCommand } from "./PeerCommand.js"
import { type PeerEvent, peerUpcasters } from "./PeerEvent.js"
import { PeerIndex, type PeerState } from "./PeerIndex.js"
import type { PeerReason } from "./PeerRefusal.js"
import { peerMachine } from "./peerMachine.js"

export type PeerKind = ActorKind<PeerCommand, PeerReason> & { readonly index: PeerIndex }

const yields: { readonly [Type in PeerCommand["type"]]: ReadonlyArray<PeerEvent["type"]> } = {
  RegisterPeer: ["PeerRegistered", "PeerAmended"],
  AmendPeer: ["PeerAmended"],
  RemovePeer: ["PeerRemovalBegun"],
  CompleteRemoval: ["PeerRemoved"]
}

export const peerHistory: ActorHistory = {
  name: "peer",
  version: 2,
  fold: makeFold(peerMachine),
  upcasters: peerUpcasters
}

export const makePeerKind = (
  rules: PeerRules,
  invocations: { readonly retirePresences: InvocationDefinition }
): PeerKind => {
  const index = new PeerIndex()
  return {
    ...peerHistory,
    yields,
    startsWork: new Set(["RegisterPeer"]),
    decide: (state: PeerState, command) => decidePeer(state, command, { rules, index }),
    index,
    invocations
  }
}
