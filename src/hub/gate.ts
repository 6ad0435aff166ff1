/** What the hub takes in which of its states: nothing before it is ready, nothing that starts work while it drains. */
import type { Envelope } from "../actors/CommandQueue.js"
import type { HubKind } from "../actors/hub/hubKind.js"
import type { LiveActors } from "../actors/LiveActors.js"
import type { SystemReason } from "../actors/Refused.js"
import { makeStreamId } from "../events/Event.js"

const hubStream = makeStreamId("hub", "")

/** Asked in a command's turn, so the hub's state is exactly the one that the commands before it have led to. */
export const makeGate =
  (hubKind: HubKind) =>
  ({ kind, command, deadline, by }: Envelope, live: LiveActors): SystemReason | undefined => {
    if (kind === hubKind) return undefined
    const state = live.isLive(hubStream) ? live.state(hubStream).name : "stopped"
    if (state === "ready") return undefined
    // What a restart makes true of an actor is recorded before anything runs.
    if (state === "recovering" && by === "hub") return undefined
    if (state === "starting" || state === "recovering") return { _tag: "Recovering" }
    // Nothing follows the event that says that this boot has ended.
    if (state === "stopped") return { _tag: "Draining" }
    const isHeld = deadline ? kind.holdsDeadlines === true : kind.startsWork.has(command.type)
    return isHeld ? { _tag: "Draining" } : undefined
  }
