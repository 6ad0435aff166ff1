/** `mound claim handoff`: a holder passes a claim on, and the addressee takes it or not. */
import { Command, Options } from "@effect/cli"
import { Effect } from "effect"
import { ask, asking, given } from "./ask.js"
import { id, pathTo, stateOf, token, tokenOf } from "./claimOptions.js"
import { durationOf, optionalText } from "./common.js"
import { lease, leaseOf, peer } from "./lease.js"

const offer = Command.make(
  "offer",
  {
    id,
    token,
    to: Options.text("to").pipe(Options.withDescription("the peer who may accept")),
    for: optionalText("for", "how long the offer stands, such as 1m"),
    ...asking
  },
  (options) =>
    ask(
      options,
      Effect.map(durationOf("for", options.for), (offerMs) =>
        given({ token: options.token, to: options.to, offerMs })
      ),
      ({ claims }, payload) => claims.offerHandoff({ path: pathTo(options), payload }),
      stateOf
    )
).pipe(Command.withDescription("offer your claim to one peer"))

const accept = Command.make("accept", { id, ...lease, ...asking }, (options) =>
  ask(
    options,
    leaseOf(options),
    ({ claims }, payload) => claims.acceptHandoff({ path: pathTo(options), payload }),
    tokenOf
  )
).pipe(Command.withDescription("take a claim that is offered to you; prints your token"))

const decline = Command.make("decline", { id, as: peer, ...asking }, (options) =>
  ask(
    options,
    { peer: options.as },
    ({ claims }, payload) => claims.declineHandoff({ path: pathTo(options), payload }),
    stateOf
  )
).pipe(Command.withDescription("leave a claim that is offered to you with its holder"))

const withdraw = Command.make("withdraw", { id, token, ...asking }, (options) =>
  ask(
    options,
    { token: options.token },
    ({ claims }, payload) => claims.withdrawHandoff({ path: pathTo(options), payload }),
    stateOf
  )
).pipe(Command.withDescription("take your offer back"))

export const handoff = Command.make("handoff").pipe(
  Command.withDescription("pass a claim on to another peer"),
  Command.withSubcommands([offer, accept, decline, withdraw])
)
