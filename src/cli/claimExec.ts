/**
 * `mound claim exec`: runs a command for as long as a claim is held, keeps the lease meanwhile, and says how the work ended
 * (contracts: ledger 5.6).
 */
import { Args, Command, Options } from "@effect/cli"
import { Effect, Option, Schedule } from "effect"
import { foreignCommand } from "../config/process.js"
import { Offset } from "../events/Event.js"
import { asking } from "./ask.js"
import { startCommand } from "./ChildCommand.js"
import { type Client, clientOf, explainFailure, findHub } from "./Client.js"
import { type CliFailure, usage } from "./CliFailure.js"
import { choosing, nextOf } from "./claimGrants.js"
import { id as anId, pathTo } from "./claimOptions.js"
import { lease, leaseOf } from "./lease.js"
import { say } from "./output.js"

export const exec = Command.make(
  "exec",
  {
    id: anId.pipe(
      Args.withDescription("the claim, unless it is --next; the command follows after --"),
      Args.optional
    ),
    next: Options.boolean("next").pipe(Options.withDescription("work on the strongest open mark")),
    ...lease,
    ...choosing,
    ...asking
  },
  (options) =>
    Effect.gen(function* () {
      const id = Option.getOrUndefined(options.id)
      if ((id === undefined) !== options.next) return yield* usage("name a claim, or say --next")
      if (foreignCommand.length === 0) return yield* usage("there is no command to run: end with -- CMD ...")
      const payload = yield* options.next ? nextOf(options) : leaseOf(options)
      const hub = yield* findHub(options)
      const client = yield* clientOf(hub)
      const grant: Grant = yield* id === undefined
        ? client.claims.claimNext({ payload })
        : client.claims.claim({ path: pathTo({ id }), payload })
      const variables = {
        MOUND_CLAIM: grant.id,
        MOUND_FENCING_TOKEN: String(grant.token),
        MOUND_URL: hub.url
      }
      process.exitCode = yield* work(client, grant, foreignCommand, variables)
    }).pipe(Effect.mapError(explainFailure))
).pipe(
  Command.withDescription("claim, run a command while the lease is kept, then complete or fail the claim")
)

interface Grant {
  readonly id: string
  readonly token: number
  readonly ttlMs: number | null
  readonly graceMs: number
  readonly boundTo: string | null
}

/** Answers with the command's exit code. */
const work = (
  { claims }: Client,
  { id, ...grant }: Grant,
  command: ReadonlyArray<string>,
  variables: { readonly [name: string]: string }
): Effect.Effect<number, CliFailure> =>
  Effect.gen(function* () {
    const path = pathTo({ id })
    const token = Offset.make(grant.token)
    const release = (reason: string) => tell(claims.release({ path, payload: { token, reason } }))
    const child = yield* startCommand(command, variables).pipe(
      Effect.tapError(({ message }) => release(message))
    )
    const renew = Effect.mapError(claims.renew({ path, payload: { token } }), explainFailure)
    const { exitCode, passedOn } = yield* Effect.raceFirst(
      child.ended,
      keepLease(renew, renewalMs(grant))
    ).pipe(
      Effect.tapError(() => say(`${id} is lost to us: ending ${command[0]}`)),
      Effect.tapError(() => child.end)
    )
    if (passedOn !== undefined) yield* release(`ended by ${passedOn}`)
    else if (exitCode === 0) yield* tell(claims.complete({ path, payload: { token } }))
    else
      yield* tell(
        claims.fail({ path, payload: { token, reason: `the command ended with exit code ${exitCode}` } })
      )
    return exitCode
  }).pipe(Effect.scoped)

/** At half of every lease; one that is bound has no end of its own, but may be in its grace. Null for ever. */
const renewalMs = ({ ttlMs, graceMs, boundTo }: Omit<Grant, "id">): number | null =>
  ttlMs !== null ? ttlMs / 2 : boundTo !== null ? Math.max(leastMs, graceMs / 2) : null

const leastMs = 1_000

/** Renews again and again; fails once the hub says that the claim is another's. */
const keepLease = (renew: Effect.Effect<unknown, CliFailure>, everyMs: number | null) =>
  everyMs === null
    ? Effect.never
    : renew.pipe(
        Effect.catchIf(isUnsettled, ({ message }) => say(`not renewed: ${message}`)),
        Effect.delay(everyMs),
        Effect.forever
      )

/** A hub that cannot be reached, or not now, has not said that anything is lost. */
const unsettled: ReadonlySet<string> = new Set([
  "HubNotRunning",
  "OutcomeUnknown",
  // Its session has ended; another may go on with the claim until the grace is over.
  "PresenceNotLive",
  "ReadOnly",
  "Recovering",
  "SlowDown",
  "TooManyRequests"
])
const isUnsettled = ({ tag }: CliFailure): boolean => unsettled.has(tag)

/** How the work ended is told until the hub has heard it: one that is restarted comes back. A repeat changes nothing. */
const tell = <A, E>(request: Effect.Effect<A, E>): Effect.Effect<A, CliFailure> =>
  Effect.retry(Effect.mapError(request, explainFailure), {
    while: isUnsettled,
    schedule: Schedule.intersect(Schedule.spaced("500 millis"), Schedule.recurs(120))
  })
