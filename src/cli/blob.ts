/** `mound blob`: bytes under their digest, from the shell. */
import { readFileSync, writeSync } from "node:fs"
import { Args, Command } from "@effect/cli"
import { Effect } from "effect"
import { asking } from "./ask.js"
import { type ConnectionOptions, findHub } from "./Client.js"
import { CliFailure, failed } from "./CliFailure.js"
import { print } from "./output.js"

/** One request with raw bytes; a refusal is told as by any other verb. */
const request = (options: ConnectionOptions, path: string, init: RequestInit = {}) =>
  Effect.gen(function* () {
    const { url, token } = yield* findHub(options)
    const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` }
    const response = yield* Effect.tryPromise({
      try: () => fetch(`${url}${path}`, { ...init, headers }),
      catch: () => failed("HubNotRunning", "the hub does not answer", "start it: mound start")
    })
    const bytes = Buffer.from(yield* Effect.promise(() => response.arrayBuffer()))
    if (response.ok) return bytes
    const { _tag, message, ...fields } = JSON.parse(bytes.toString()) as { _tag: string; message: string }
    return yield* new CliFailure({ tag: _tag, message, fields, exitCode: 1 })
  })

const put = Command.make("put", { file: Args.file({ name: "FILE", exists: "yes" }), ...asking }, (options) =>
  Effect.gen(function* () {
    const body = yield* Effect.sync(() => readFileSync(options.file))
    const answer = (yield* request(options, "/blobs", { method: "POST", body })).toString()
    const { sha256 } = JSON.parse(answer) as { readonly sha256: string }
    yield* print(options.json ? answer : sha256)
  })
).pipe(Command.withDescription("keep a file's bytes; prints their digest"))

const get = Command.make("get", { sha256: Args.text({ name: "SHA256" }), ...asking }, (options) =>
  Effect.gen(function* () {
    const bytes = yield* request(options, `/blobs/${encodeURIComponent(options.sha256)}`)
    if (options.json)
      return yield* print(JSON.stringify({ bytes: bytes.length, base64: bytes.toString("base64") }))
    yield* Effect.sync(() => {
      for (let written = 0; written < bytes.length; ) written += writeSync(1, bytes, written)
    })
  })
).pipe(Command.withDescription("the bytes of a digest, checked"))

export const blob = Command.make("blob").pipe(
  Command.withDescription("bytes kept under their digest"),
  Command.withSubcommands([put, get])
)
