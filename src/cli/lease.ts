/** The options that say for whom and how long to hold a claim (contracts: ledger 5.6). */
import { Options } from "@effect/cli"
import { Effect, type Option } from "effect"
import { given } from "./ask.js"
import { usage } from "./CliFailure.js"
import { durationOf, optionalText } from "./common.js"

export const peer = Options.text("as").pipe(Options.withDescription("the peer that you act for"))

export const lease = {
  as: peer,
  instance: optionalText("instance", "tells two processes of one peer apart"),
  ttl: optionalText("ttl", "lease time such as 5m; by default the hub's"),
  forever: Options.boolean("forever").pipe(Options.withDescription("hold until it is released")),
  bound: optionalText("bound", "hold as long as this presence is live"),
  grace: optionalText("grace", "time after the lease in which only you may act, such as 1m")
}

export interface LeaseOptions {
  readonly as: string
  readonly instance: Option.Option<string>
  readonly ttl: Option.Option<string>
  readonly forever: boolean
  readonly bound: Option.Option<string>
  readonly grace: Option.Option<string>
}

/** The fields of a command that grants. */
export const leaseOf = ({ as, instance, ttl, forever, bound, grace }: LeaseOptions) =>
  Effect.gen(function* () {
    const ways = [ttl._tag === "Some", forever, bound._tag === "Some"].filter(Boolean)
    if (ways.length > 1) return yield* usage("--ttl, --forever and --bound exclude each other")
    const ttlMs: number | null | undefined = forever ? null : yield* durationOf("ttl", ttl)
    const graceMs = yield* durationOf("grace", grace)
    return given({ peer: as, instance, boundTo: bound, ttlMs, graceMs })
  })
