/** `mound claim`: marks and leases from the shell (contracts: ledger 5.6). Each verb is one request to the hub. */
import { readFileSync } from "node:fs"
import { Args, Command, Options } from "@effect/cli"
import { Effect, Option } from "effect"
import { Offset } from "../events/Event.js"
import { ask, given } from "./ask.js"
import { connection } from "./Client.js"
import { type CliFailure, usage } from "./CliFailure.js"
import { durationOf, json, optionalInteger, optionalText } from "./common.js"
import { localTime, table } from "./output.js"

const id = Args.text({ name: "ID" })
const token = Options.integer("token").pipe(
  Options.withSchema(Offset),
  Options.withDescription("the fencing token of your grant")
)
const reason = optionalText("reason", "why, for the journal")
const requiredReason = Options.text("reason").pipe(Options.withDescription("why, for the journal"))
const peer = Options.text("as").pipe(Options.withDescription("the peer that you act for"))

/** How long to hold. */
const lease = {
  as: peer,
  instance: optionalText("instance", "tells two processes of one peer apart"),
  ttl: optionalText("ttl", "lease time such as 5m"),
  forever: Options.boolean("forever").pipe(Options.withDescription("hold until it is released")),
  bound: optionalText("bound", "hold as long as this presence is live"),
  grace: optionalText("grace", "time after the lease in which only you may act, such as 1m")
}

interface LeaseOptions {
  readonly as: string
  readonly instance: Option.Option<string>
  readonly ttl: Option.Option<string>
  readonly forever: boolean
  readonly bound: Option.Option<string>
  readonly grace: Option.Option<string>
}

const leaseOf = (options: LeaseOptions) =>
  Effect.gen(function* () {
    const ways = [Option.isSome(options.ttl), options.forever, Option.isSome(options.bound)].filter(Boolean)
    if (ways.length > 1) return yield* usage("--ttl, --forever and --bound exclude each other")
    const ttlMs = yield* durationOf("ttl", options.ttl)
    const graceMs = yield* durationOf("grace", options.grace)
    return {
      peer: options.as,
      ...given("instance", options.instance),
      ...given("boundTo", options.bound),
      ...(options.forever ? { ttlMs: null } : ttlMs !== undefined && { ttlMs }),
      ...(graceMs !== undefined && { graceMs })
    }
  })

/** JSON from the command line, or with `@` from a file. */
const jsonOf = (name: string, text: string): Effect.Effect<unknown, CliFailure> =>
  Effect.try({
    try: () => JSON.parse(text.startsWith("@") ? readFileSync(text.slice(1), "utf8") : text) as unknown,
    catch: (error) => usage(`--${name}: ${error instanceof Error ? error.message : error}`)
  })

const shared = { ...connection, json }
const stateOf = ({ state }: { readonly state: string }) => state
const tokenOf = ({ token }: { readonly token: number }) => String(token)

const deposit = Command.make(
  "deposit",
  {
    id,
    stance: Options.text("stance").pipe(Options.withDescription("who should act on it, such as reviewer")),
    base: Options.float("base").pipe(Options.withDescription("intensity at first")),
    decay: Options.float("decay").pipe(
      Options.withDefault(0),
      Options.withDescription("how fast it fades, per second")
    ),
    payload: optionalText("payload", "any JSON, or @FILE"),
    maxAttempts: optionalInteger("max-attempts", "grants after which the work is given up"),
    ...shared
  },
  (options) =>
    ask(
      options,
      ({ claims }) =>
        Effect.gen(function* () {
          const payload = Option.isSome(options.payload)
            ? yield* jsonOf("payload", options.payload.value)
            : undefined
          const record = {
            id: options.id,
            stanceTarget: options.stance,
            baseIntensity: options.base,
            decayRate: options.decay,
            ...(payload !== undefined && { payload })
          }
          return yield* claims.deposit({ payload: { record, ...given("maxAttempts", options.maxAttempts) } })
        }),
      ({ offset }) => String(offset)
    )
).pipe(Command.withDescription("leave a mark, or publish it anew; prints the event's offset"))

const take = Command.make(
  "take",
  {
    id,
    ...lease,
    preclaim: Options.boolean("preclaim").pipe(Options.withDescription("also when there is no such mark")),
    ...shared
  },
  (options) =>
    ask(
      options,
      ({ claims }) =>
        Effect.flatMap(leaseOf(options), (fields) =>
          claims.claim({
            path: { id: options.id },
            payload: { ...fields, ...(options.preclaim && { preclaim: true }) }
          })
        ),
      tokenOf
    )
).pipe(Command.withDescription("claim a mark by name; prints the token"))

const next = Command.make(
  "next",
  {
    ...lease,
    stance: Options.text("stance").pipe(Options.repeated, Options.withDescription("STANCE or STANCE=WEIGHT")),
    min: Options.float("min").pipe(Options.withDescription("least score"), Options.optional),
    prefix: optionalText("prefix", "only ids that begin so"),
    wait: optionalText("wait", "wait so long for a mark to open, such as 30s"),
    ...shared
  },
  (options) =>
    ask(
      options,
      ({ claims }) =>
        Effect.gen(function* () {
          const fields = yield* leaseOf(options)
          const waitMs = yield* durationOf("wait", options.wait)
          const stances = yield* weightsOf(options.stance)
          const payload = {
            ...fields,
            ...(stances && { stances }),
            ...given("minScore", options.min),
            ...given("prefix", options.prefix),
            ...(waitMs !== undefined && { waitMs })
          }
          return yield* claims.claimNext({ payload })
        }),
      ({ id, token }) => `${id}\t${token}`
    )
).pipe(Command.withDescription("claim the strongest open mark; prints its id and the token"))

const weightsOf = (stances: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    if (stances.length === 0) return undefined
    const weights: { [stance: string]: number } = {}
    for (const text of stances) {
      const [, stance = "", weight = "1"] = /^(.*?)(?:=([^=]*))?$/.exec(text) ?? []
      weights[stance] = Number(weight)
      if (Number.isNaN(weights[stance]))
        return yield* usage(`--stance: ${text}: the weight must be a number from 0 to 1`)
    }
    return weights
  })

const renew = Command.make("renew", { id, token, ...shared }, (options) =>
  ask(
    options,
    ({ claims }) => claims.renew({ path: { id: options.id }, payload: { token: options.token } }),
    ({ expiresAt }) => (expiresAt === null ? "forever" : new Date(expiresAt).toISOString())
  )
).pipe(Command.withDescription("keep a claim; prints until when"))

const verify = Command.make("verify", { id, token, ...shared }, (options) =>
  ask(
    options,
    ({ claims }) => claims.verify({ path: { id: options.id }, payload: { token: options.token } }),
    stateOf
  )
).pipe(Command.withDescription("say whether a token is current; exit code 1 when it is not"))

const release = Command.make("release", { id, token, reason, ...shared }, (options) =>
  ask(
    options,
    ({ claims }) =>
      claims.release({
        path: { id: options.id },
        payload: { token: options.token, ...given("reason", options.reason) }
      }),
    stateOf
  )
).pipe(Command.withDescription("give a claim back; the attempt does not count"))

const complete = Command.make(
  "complete",
  {
    id,
    token,
    summary: optionalText("summary", "what was done"),
    result: optionalText("result", "any JSON, or @FILE"),
    ...shared
  },
  (options) =>
    ask(
      options,
      ({ claims }) =>
        Effect.gen(function* () {
          const result = Option.isSome(options.result)
            ? yield* jsonOf("result", options.result.value)
            : undefined
          const payload = {
            token: options.token,
            ...given("summary", options.summary),
            ...(result !== undefined && { result })
          }
          return yield* claims.complete({ path: { id: options.id }, payload })
        }),
      stateOf
    )
).pipe(Command.withDescription("finish the work for good"))

const fail = Command.make(
  "fail",
  {
    id,
    token,
    reason: requiredReason,
    noRetry: Options.boolean("no-retry").pipe(Options.withDescription("nobody shall try again")),
    retryAfter: optionalText("retry-after", "when claim-next may offer it again, such as 30s"),
    ...shared
  },
  (options) =>
    ask(
      options,
      ({ claims }) =>
        Effect.gen(function* () {
          const retryAfterMs = yield* durationOf("retry-after", options.retryAfter)
          const payload = {
            token: options.token,
            reason: options.reason,
            ...(options.noRetry && { retry: false }),
            ...(retryAfterMs !== undefined && { retryAfterMs })
          }
          return yield* claims.fail({ path: { id: options.id }, payload })
        }),
      stateOf
    )
).pipe(Command.withDescription("say that the work failed; it is offered again, unless attempts are used up"))

const reclaim = Command.make(
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
    ...shared
  },
  (options) =>
    ask(
      options,
      ({ claims }) =>
        Effect.flatMap(leaseOf(options), (fields) =>
          claims.reclaim({
            path: { id: options.id },
            payload: {
              ...fields,
              expectedToken: options.expect,
              reason: options.reason,
              ...(options.force && { force: true })
            }
          })
        ),
      tokenOf
    )
).pipe(Command.withDescription("take a claim over from a holder whose lease is over; prints the token"))

const offer = Command.make(
  "offer",
  {
    id,
    token,
    to: Options.text("to").pipe(Options.withDescription("the peer who may accept")),
    offer: optionalText("for", "how long, such as 1m"),
    ...shared
  },
  (options) =>
    ask(
      options,
      ({ claims }) =>
        Effect.flatMap(durationOf("for", options.offer), (offerMs) =>
          claims.offerHandoff({
            path: { id: options.id },
            payload: { token: options.token, to: options.to, ...(offerMs !== undefined && { offerMs }) }
          })
        ),
      stateOf
    )
)
const accept = Command.make("accept", { id, ...lease, ...shared }, (options) =>
  ask(
    options,
    ({ claims }) =>
      Effect.flatMap(leaseOf(options), (payload) =>
        claims.acceptHandoff({ path: { id: options.id }, payload })
      ),
    tokenOf
  )
)
const decline = Command.make("decline", { id, as: peer, ...shared }, (options) =>
  ask(
    options,
    ({ claims }) => claims.declineHandoff({ path: { id: options.id }, payload: { peer: options.as } }),
    stateOf
  )
)
const withdraw = Command.make("withdraw", { id, token, ...shared }, (options) =>
  ask(
    options,
    ({ claims }) => claims.withdrawHandoff({ path: { id: options.id }, payload: { token: options.token } }),
    stateOf
  )
)
const handoff = Command.make("handoff").pipe(
  Command.withDescription("pass a claim on to another peer"),
  Command.withSubcommands([offer, accept, decline, withdraw])
)

const inflate = Command.make("inflate", { id, ...shared }, (options) =>
  ask(options, ({ claims }) => claims.inflate({ path: { id: options.id }, payload: {} }), stateOf)
).pipe(Command.withDescription("raise a mark's floor by one"))

const revoke = Command.make(
  "revoke",
  { id, reason: requiredReason, token: Options.optional(token), ...shared },
  (options) =>
    ask(
      options,
      ({ claims }) =>
        claims.revoke({
          path: { id: options.id },
          payload: { reason: options.reason, ...given("token", options.token) }
        }),
      stateOf
    )
).pipe(Command.withDescription("take a claim from its holder; the mark is open again"))

const reopen = Command.make("reopen", { id, reason: requiredReason, ...shared }, (options) =>
  ask(
    options,
    ({ claims }) => claims.reopen({ path: { id: options.id }, payload: { reason: options.reason } }),
    stateOf
  )
).pipe(Command.withDescription("let settled work be claimed again"))

const evaporate = Command.make("evaporate", { id, reason, ...shared }, (options) =>
  ask(
    options,
    ({ claims }) => claims.evaporate({ path: { id: options.id }, payload: given("reason", options.reason) }),
    stateOf
  )
).pipe(Command.withDescription("remove a mark that nobody leases"))

const at = optionalText("at", "as of an offset or an ISO 8601 date")

const list = Command.make(
  "list",
  {
    state: optionalText("state", "open, held, done, evaporated, unmarked"),
    stance: optionalText("stance", "only this stance"),
    holder: optionalText("holder", "only what this peer holds"),
    min: Options.float("min").pipe(Options.withDescription("least intensity"), Options.optional),
    sort: Options.choice("sort", ["offset", "intensity"]).pipe(Options.optional),
    limit: optionalInteger("limit", "at most so many, 100 by default"),
    at,
    ...shared
  },
  (options) =>
    ask(
      options,
      ({ claims }) =>
        claims.list({
          urlParams: {
            ...given("state", options.state),
            ...given("stance", options.stance),
            ...given("holder", options.holder),
            ...given("min", options.min),
            ...given("sort", options.sort),
            ...given("limit", options.limit),
            ...given("at", options.at)
          }
        }),
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
).pipe(Command.withDescription("marks and claims as a table"))

const show = Command.make("show", { id, at, ...shared }, (options) =>
  ask(
    options,
    ({ claims }) => claims.show({ path: { id: options.id }, urlParams: given("at", options.at) }),
    (row) => JSON.stringify(row, null, 2)
  )
).pipe(Command.withDescription("one claim whole"))

export const claim = Command.make("claim").pipe(
  Command.withDescription("marks, and leases on the work that they stand for"),
  Command.withSubcommands([
    deposit,
    list,
    show,
    take,
    next,
    renew,
    verify,
    release,
    complete,
    fail,
    reclaim,
    handoff,
    inflate,
    revoke,
    reopen,
    evaporate
  ])
)
