/** Verbs of a holder, who shows the token of the grant. */
import { Command, Options } from "@effect/cli"
import { Effect } from "effect"
import { ask, asking, given, jsonOf } from "./ask.js"
import { id, pathTo, reason, requiredReason, stateOf, token } from "./claimOptions.js"
import { durationOf, optionalText } from "./common.js"

export const renew = Command.make("renew", { id, token, ...asking }, (options) =>
  ask(
    options,
    { token: options.token },
    ({ claims }, payload) => claims.renew({ path: pathTo(options), payload }),
    ({ expiresAt }) => (expiresAt === null ? "forever" : new Date(expiresAt).toISOString())
  )
).pipe(Command.withDescription("keep a claim; prints until when"))

export const verify = Command.make("verify", { id, token, ...asking }, (options) =>
  ask(
    options,
    { token: options.token },
    ({ claims }, payload) => claims.verify({ path: pathTo(options), payload }),
    stateOf
  )
).pipe(Command.withDescription("say whether a token is current; exit code 1 when it is not"))

export const release = Command.make("release", { id, token, reason, ...asking }, (options) =>
  ask(
    options,
    given({ token: options.token, reason: options.reason }),
    ({ claims }, payload) => claims.release({ path: pathTo(options), payload }),
    stateOf
  )
).pipe(Command.withDescription("give a claim back; the attempt does not count"))

export const complete = Command.make(
  "complete",
  {
    id,
    token,
    summary: optionalText("summary", "what was done"),
    result: optionalText("result", "any JSON, or @FILE"),
    ...asking
  },
  (options) =>
    ask(
      options,
      Effect.map(jsonOf("result", options.result), (result) =>
        given({ token: options.token, summary: options.summary, result })
      ),
      ({ claims }, payload) => claims.complete({ path: pathTo(options), payload }),
      stateOf
    )
).pipe(Command.withDescription("finish the work for good"))

export const fail = Command.make(
  "fail",
  {
    id,
    token,
    reason: requiredReason,
    noRetry: Options.boolean("no-retry").pipe(Options.withDescription("nobody shall try again")),
    retryAfter: optionalText("retry-after", "when claim-next may offer it again, such as 30s"),
    ...asking
  },
  (options) =>
    ask(
      options,
      Effect.map(durationOf("retry-after", options.retryAfter), (retryAfterMs) =>
        given({ token: options.token, reason: options.reason, retry: !options.noRetry, retryAfterMs })
      ),
      ({ claims }, payload) => claims.fail({ path: pathTo(options), payload }),
      stateOf
    )
).pipe(Command.withDescription("say that the work failed; it is offered again, unless attempts are used up"))
