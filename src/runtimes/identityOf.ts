/** The identity that a presence's stream is named by. */
import { type Identity, parseIdentity } from "../actors/peer/Identity.js"
import { idOf, type StreamId } from "../events/Event.js"

export const identityOf = (stream: StreamId): Identity => {
  const identity = parseIdentity(idOf(stream))
  if (!identity) throw new Error(`${stream} names no identity`)
  return identity
}
