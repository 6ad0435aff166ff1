/** Verbs about marks, whoever holds them: leave one, look at them, settle what became of one. */
import { Command, Options } from "@effect/cli"
import { Effect } from "effect"
import { ask, asking, given, jsonOf } from "./ask.js"
import { id, pathTo, reason, requiredReason, stateOf, token } from "./claimOptions.js"
import { optionalInteger, optionalText } from "./common.js"
import { localTime, table } from "./output.js"

export const deposit = Command.make(
  "deposit",
  {
    id,
    stance: Options.text("stance").pipe(Options.withDescription("who should act on it, such as reviewer")),
    base: Options.float("base").pipe(Options.withDescription("intensity at first")),
    decay: Options.float("decay").pipe(
      Options.withDefault(0),
      Options.withDescription("how fast it fades, per second; 0 by default")
    ),
    payload: optionalText("payload", "any JSON, or @FILE"),
    maxAttempts: optionalInteger("max-attempts", "grants after which the work is given up"),
    ...asking
  },
  (options) =>
    ask(
      options,
      Effect.map(jsonOf("payload", options.payload), (payload) => {
        const { id, stance: stanceTarget, base: baseIntensity, decay: decayRate, maxAttempts } = options
        return given({ record: given({ id, stanceTarget, baseIntensity, decayRate, payload }), maxAttempts })
      }),
      ({ claims }, payload) => claims.deposit({ payload }),
      ({ offset }) => String(offset)
    )
).pipe(Command.withDescription("leave a mark, or publish it anew; prints the event's offset"))

export const inflate = Command.make("inflate", { id, ...asking }, (options) =>
  ask(options, {}, ({ claims }, payload) => claims.inflate({ path: pathTo(options), payload }), stateOf)
).pipe(Command.withDescription("raise a mark's floor by one"))

export const revoke = Command.make(
  "revoke",
  { id, reason: requiredReason, token: Options.optional(token), ...asking },
  (options) =>
    ask(
      options,
      given({ reason: options.reason, token: options.token }),
      ({ claims }, payload) => claims.revoke({ path: pathTo(options), payload }),
      stateOf
    )
).pipe(Command.withDescription("take a claim from its holder; the mark is open again"))

export const reopen = Command.make("reopen", { id, reason: requiredReason, ...asking }, (options) =>
  ask(
    options,
    { reason: options.reason },
    ({ claims }, payload) => claims.reopen({ path: pathTo(options), payload }),
    stateOf
  )
).pipe(Command.withDescription("let settled work be claimed again"))

export const evaporate = Command.make("evaporate", { id, reason, ...asking }, (options) =>
  ask(
    options,
    given({ reason: options.reason }),
    ({ claims }, payload) => claims.evaporate({ path: pathTo(options), payload }),
    stateOf
  )
).pipe(Command.withDescription("remove a mark that nobody leases"))

const at = optionalText("at", "as of an offset or an ISO 8601 date")
const states = [
  "open",
  "held",
  "held.active",
  "held.grace",
  "held.offered",
  "done",
  "evaporated",
  "unmarked"
] as const

export const list = Command.make(
  "list",
  {
    state: Options.choice("state", states).pipe(
      Options.withDescription("only in this state"),
      Options.optional
    ),
    stance: optionalText("stance", "only this stance"),
    holder: optionalText("holder", "only what this peer holds"),
    min: Options.float("min").pipe(Options.withDescription("least intensity"), Options.optional),
    sort: Options.choice("sort", ["offset", "intensity"]).pipe(
      Options.withDescription("the order"),
      Options.optional
    ),
    limit: optionalInteger("limit", "at most so many, 100 by default"),
    at,
    ...asking
  },
  (options) => {
    const { state, stance, holder, min, sort, limit, at } = options
    return ask(
      options,
      given({ state, stance, holder, min, sort, limit, at }),
      ({ claims }, urlParams) => claims.list({ urlParams }),
      ({ rows }) =>
        table(
          ["ID", "STATE", "INTENSITY", "STANCE", "HOLDER", "TOKEN", "EXPIRES"],
          rows.map(({ id, state, intensity, record, holder, token, expiresAt }) => [
            id,
            state,
            intensity === null ? null : intensity.toFixed(4),
            (record as { readonly stanceTarget?: string } | null)?.stanceTarget,
            holder?.peer,
            token,
            expiresAt === null ? null : localTime(expiresAt)
          ])
        )
    )
  }
).pipe(Command.withDescription("marks and claims as a table"))

export const show = Command.make("show", { id, at, ...asking }, (options) =>
  ask(
    options,
    given({ at: options.at }),
    ({ claims }, urlParams) => claims.show({ path: pathTo(options), urlParams }),
    (row) => JSON.stringify(row, null, 2)
  )
).pipe(Command.withDescription("one claim whole"))
