/** `mound stream`: the journal's streams, read to their end or followed across restarts of the hub (contracts: streams 5.6). */
import { Args, Command } from "@effect/cli"
import { Effect, Option, Schedule } from "effect"
import { asking } from "./ask.js"
import type { ConnectionOptions } from "./Client.js"
import { type CliFailure, failed, usage } from "./CliFailure.js"
import { optionalInteger, optionalText } from "./common.js"
import { print, say } from "./output.js"
import { request } from "./request.js"

const name = Args.text({ name: "NAME" }).pipe(
  Args.withDescription("$all for everything, or one actor's stream such as claim/w1")
)
const reading = {
  name,
  from: optionalText("from", "after this token or offset; now; from the start when left out"),
  kind: optionalText("kind", "of $all only: actors of these kinds, separated by commas"),
  type: optionalText("type", "of $all only: events of these types, separated by commas"),
  ...asking
}

interface Reading extends ConnectionOptions {
  readonly name: string
  readonly from: Option.Option<string>
  readonly kind: Option.Option<string>
  readonly type: Option.Option<string>
}

interface Page {
  readonly messages: ReadonlyArray<unknown>
  readonly next: string
  readonly isUpToDate: boolean
  readonly isClosed: boolean
}

const pageSize = 1_000

const pathOf = (stream: string) => `/v1/stream/${encodeURIComponent(stream)}`

/** What the options say besides the place, as a query. */
const filterOf = ({ kind, type }: Reading): { readonly [name: string]: string } => ({
  ...(Option.isSome(kind) && { kind: kind.value }),
  ...(Option.isSome(type) && { type: type.value })
})

/** The token to begin after. A plain offset is a place in the history that the hub has now, whose number its tokens begin with. */
const startOf = (options: Reading): Effect.Effect<string, CliFailure> =>
  Effect.gen(function* () {
    const from = Option.getOrElse(options.from, () => "-1")
    if (!/^\d{1,15}$/.test(from)) return from
    const { headers } = yield* request(options, pathOf("$all"), { method: "HEAD" })
    const head = headers.get("stream-next-offset") ?? ""
    return `${head.slice(0, 17)}${from.padStart(16, "0")}`
  })

const pageFrom = (
  options: Reading,
  query: { readonly [name: string]: string },
  next: string
): Effect.Effect<Page, CliFailure> =>
  Effect.gen(function* () {
    const parameters = new URLSearchParams({ offset: next, ...filterOf(options), ...query })
    const { headers, bytes } = yield* request(options, `${pathOf(options.name)}?${parameters}`)
    return {
      messages: bytes.length === 0 ? [] : (JSON.parse(bytes.toString()) as ReadonlyArray<unknown>),
      next: headers.get("stream-next-offset") ?? next,
      isUpToDate: headers.get("stream-up-to-date") === "true",
      isClosed: headers.get("stream-closed") === "true"
    }
  })

const printAll = (messages: ReadonlyArray<unknown>) =>
  print(messages.map((message) => JSON.stringify(message)).join("\n"))

const read = Command.make(
  "read",
  { ...reading, limit: optionalInteger("limit", "at most so many messages") },
  (options) =>
    Effect.gen(function* () {
      let left = Option.getOrElse(options.limit, () => Number.POSITIVE_INFINITY)
      if (left < 1) return yield* usage("--limit: must be at least 1")
      const messages: Array<unknown> = []
      let next = yield* startOf(options)
      for (let isUpToDate = false; !isUpToDate && left > 0; ) {
        const page = yield* pageFrom(options, { limit: String(Math.min(pageSize, left)) }, next)
        left -= page.messages.length
        next = page.next
        isUpToDate = page.isUpToDate
        if (options.json) messages.push(...page.messages)
        else yield* printAll(page.messages)
      }
      if (options.json) yield* print(JSON.stringify({ messages, next }))
      yield* say(`next ${next}`)
    })
).pipe(Command.withDescription("what is in a stream, a message a line; how to go on, on stderr"))

/** What passes by itself: a hub that starts again, or has too much to do. */
const isPassing = ({ tag }: CliFailure): boolean => passing.has(tag)
const passing: ReadonlySet<string> = new Set([
  "HubNotRunning",
  "Recovering",
  "Draining",
  "ReadOnly",
  "TooManyFollowers"
])
const retryMs = 250

const follow = Command.make("follow", reading, (options) =>
  Effect.gen(function* () {
    // The first answer tells what is wrong with the question, or that no hub is there.
    let next = yield* startOf(options)
    let page = yield* pageFrom(options, { limit: String(pageSize) }, next)
    for (;;) {
      yield* printAll(page.messages)
      next = page.next
      if (page.isClosed && page.isUpToDate) return yield* say(`next ${next}`)
      const query = page.isUpToDate ? { live: "long-poll" } : { limit: String(pageSize) }
      page = yield* Effect.retry(pageFrom(options, query, next), {
        schedule: Schedule.spaced(retryMs),
        while: isPassing
      })
    }
  }).pipe(Effect.raceFirst(interrupted))
).pipe(
  Command.withDescription("a stream's messages as they come, each once, also across a restart of the hub")
)

/** Ctrl-C is how a follower ends, and no failure. */
const interrupted = Effect.async<void>((resume) => {
  const end = () => resume(Effect.void)
  process.once("SIGINT", end)
  return Effect.sync(() => process.off("SIGINT", end))
})

const head = Command.make("head", { name, ...asking }, (options) =>
  Effect.gen(function* () {
    const { headers } = yield* request(options, pathOf(options.name), { method: "HEAD" }).pipe(
      Effect.mapError((failure) =>
        failure.tag === "Refused"
          ? failed(
              "StreamNotFound",
              `there is no stream ${options.name}`,
              "mound stream read '$all' shows all"
            )
          : failure
      )
    )
    const found = {
      type: headers.get("content-type"),
      next: headers.get("stream-next-offset"),
      closed: headers.get("stream-closed") === "true"
    }
    yield* print(
      options.json
        ? JSON.stringify(found)
        : `type    ${found.type}\nnext    ${found.next}\nclosed  ${found.closed ? "yes" : "no"}`
    )
  })
).pipe(Command.withDescription("where a stream ends, and whether it is closed"))

export const stream = Command.make("stream").pipe(
  Command.withDescription("read and follow the journal's streams"),
  Command.withSubcommands([read, follow, head])
)
