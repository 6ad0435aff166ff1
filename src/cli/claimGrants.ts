/** Verbs that end in a grant: claim a mark by name, the strongest one, or one whose holder is gone. */
import { Command, Options } from "@effect/cli"
import { Effect, Option } from "effect"
import { Offset } from "../events/Event.js"
import { ask, asking, given } from "./ask.js"
import { type CliFailure, usage } from "./CliFailure.js"
import { id, pathTo, requiredReason, tokenOf } from "./claimOptions.js"
import { durationOf, optionalText } from "./common.js"
import { type LeaseOptions, lease, leaseOf } from "./lease.js"

export const take = Command.make(
  "take",
  {
    id,
    ...lease,
    preclaim: Options.boolean("preclaim").pipe(Options.withDescription("also when there is no such mark")),
    ...asking
  },
  (options) =>
    ask(
      options,
      Effect.map(leaseOf(options), (fields) => ({ ...fields, preclaim: options.preclaim })),
      ({ claims }, payload) => claims.claim({ path: pathTo(options), payload }),
      tokenOf
    )
).pipe(Command.withDescription("claim a mark by name; prints the token"))

/** Which mark to take when none is named. */
export const choosing = {
  stance: Options.text("stance").pipe(
    Options.repeated,
    Options.withDescription("STANCE or STANCE=WEIGHT; any by default")
  ),
  min: Options.float("min").pipe(Options.withDescription("least score"), Options.optional),
  prefix: optionalText("prefix", "only ids that begin so"),
  wait: optionalText("wait", "wait so long for a mark to open, such as 30s")
}

export interface ChoosingOptions {
  readonly stance: ReadonlyArray<string>
  readonly min: Option.Option<number>
  readonly prefix: Option.Option<string>
  readonly wait: Option.Option<string>
}

/** The body of a `ClaimNext`. */
export const nextOf = (options: ChoosingOptions & LeaseOptions) =>
  Effect.gen(function* () {
    const fields = yield* leaseOf(options)
    const stances = yield* weightsOf(options.stance)
    const waitMs = yield* durationOf("wait", options.wait)
    return { ...fields, ...given({ stances, minScore: options.min, prefix: options.prefix, waitMs }) }
  })

const weightsOf = (
  stances: ReadonlyArray<string>
): Effect.Effect<Option.Option<{ readonly [stance: string]: number }>, CliFailure> => {
  const weights: { [stance: string]: number } = {}
  for (const text of stances) {
    const [, stance = "", weight = "1"] = /^(.*?)(?:=([^=]*))?$/.exec(text) ?? []
    weights[stance] = weight.trim() === "" ? Number.NaN : Number(weight)
    if (Number.isNaN(weights[stance])) {
      return usage(`--stance: ${text}: the weight must be a number from 0 to 1`)
    }
  }
  return Effect.succeed(stances.length === 0 ? Option.none() : Option.some(weights))
}

export const next = Command.make("next", { ...lease, ...choosing, ...asking }, (options) =>
  ask(
    options,
    nextOf(options),
    ({ claims }, payload) => claims.claimNext({ payload }),
    ({ id, token }) => `${id}\t${token}`
  )
).pipe(Command.withDescription("claim the strongest open mark; prints its id and the token"))

export const reclaim = Command.make(
  "reclaim",
  {
    id,
    expect: Options.integer("expect").pipe(
      Options.withSchema(Offset),
      Options.withDescription("the token that you saw; another one means that somebody was faster")
    ),
    reason: requiredReason,
    force: Options.boolean("force").pipe(Options.withDescription("also while the lease runs")),
    ...lease,
    ...asking
  },
  (options) =>
    ask(
      options,
      Effect.map(leaseOf(options), (fields) => {
        const { expect: expectedToken, reason, force } = options
        return { ...fields, expectedToken, reason, force }
      }),
      ({ claims }, payload) => claims.reclaim({ path: pathTo(options), payload }),
      tokenOf
    )
).pipe(Command.withDescription("take a claim over from a holder whose lease is over; prints the token"))
