/** `mound peer send`: a message, and what became of it. */
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { Command, Options } from "@effect/cli"
import { Effect, Option } from "effect"
import { workingDirectory } from "../config/process.js"
import { ask, asking, given } from "./ask.js"
import { CliFailure, usage } from "./CliFailure.js"
import { durationOf, optionalText } from "./common.js"
import { peerName } from "./peerRegister.js"

const defaultWaitMs = 10_000
const failedStates: ReadonlySet<string> = new Set(["failed", "unconfirmed"])

export const send = Command.make(
  "send",
  {
    name: peerName,
    message: optionalText("message", "what to say"),
    messageFile: optionalText("message-file", "a file that says it, or - for standard input"),
    runtime: optionalText("runtime", "on this runtime; by default the peer's default one"),
    topic: optionalText("topic", "what it is about"),
    from: optionalText("from", "the identity that it is from; by default the session's, else the operator"),
    id: optionalText("id", "its id: sending the same again is harmless"),
    replyTo: optionalText("reply-to", "the id of the message that this answers"),
    attachment: Options.text("attachment").pipe(
      Options.repeated,
      Options.withDescription("a file that goes with it")
    ),
    wait: optionalText("wait", "how long to wait for evidence, 10s by default"),
    noWait: Options.boolean("no-wait").pipe(Options.withDescription("do not wait for evidence")),
    ...asking
  },
  (options) =>
    Effect.gen(function* () {
      const wait = options.noWait ? 0 : ((yield* durationOf("wait", options.wait)) ?? defaultWaitMs)
      const attachments = options.attachment.map((path) => resolve(workingDirectory, path))
      let outcome = ""
      yield* ask(
        options,
        Effect.map(bodyOf(options.message, options.messageFile), (body) =>
          given({
            to: options.name,
            body,
            runtime: options.runtime,
            topic: options.topic,
            from: options.from,
            messageId: options.id,
            replyTo: options.replyTo,
            attachments: attachments.length > 0 ? attachments : undefined
          })
        ),
        ({ messages }, payload) =>
          Effect.tap(
            messages.sendMessage({ urlParams: { wait: Math.min(wait, 30_000) }, payload }),
            ({ state, reason, to }) =>
              Effect.sync(() => {
                if (failedStates.has(state)) outcome = `${state} for ${to}${reason ? ` (${reason})` : ""}`
              })
          ),
        ({ state, to, evidence, queueDepth }) => {
          if (state === "confirmed") return `delivered to ${to} (${evidence})`
          return failedStates.has(state) ? "" : `queued for ${to}, ${queueDepth} waiting`
        }
      )
      if (outcome === "") return
      return yield* new CliFailure({
        tag: "NotDelivered",
        message: outcome,
        fix: `mound peer why ${options.name}`,
        exitCode: 1
      })
    })
).pipe(Command.withDescription("send a message; a sleeping peer wakes for it"))

const bodyOf = (message: Option.Option<string>, file: Option.Option<string>) =>
  Effect.gen(function* () {
    if (Option.isSome(message) === Option.isSome(file)) {
      return yield* usage("give --message TEXT or --message-file FILE")
    }
    if (Option.isSome(message)) return message.value
    const path = Option.getOrElse(file, () => "-")
    return yield* Effect.try({
      try: () => readFileSync(path === "-" ? 0 : path, "utf8"),
      catch: (error) => usage(`--message-file: ${error instanceof Error ? error.message : error}`)
    })
  })
