/** `mound blob`: bytes under their digest, from the shell. */
import { readFileSync, writeSync } from "node:fs"
import { Args, Command } from "@effect/cli"
import { Effect } from "effect"
import { asking } from "./ask.js"
import { gc, verify } from "./blobKeeping.js"
import { print } from "./output.js"
import { request } from "./request.js"

const put = Command.make("put", { file: Args.file({ name: "FILE", exists: "yes" }), ...asking }, (options) =>
  Effect.gen(function* () {
    const body = yield* Effect.sync(() => readFileSync(options.file))
    const answer = (yield* request(options, "/blobs", { method: "POST", body })).bytes.toString()
    const { sha256 } = JSON.parse(answer) as { readonly sha256: string }
    yield* print(options.json ? answer : sha256)
  })
).pipe(Command.withDescription("keep a file's bytes; prints their digest"))

const get = Command.make("get", { sha256: Args.text({ name: "SHA256" }), ...asking }, (options) =>
  Effect.gen(function* () {
    const { bytes } = yield* request(options, `/blobs/${encodeURIComponent(options.sha256)}`)
    if (options.json)
      return yield* print(JSON.stringify({ bytes: bytes.length, base64: bytes.toString("base64") }))
    yield* Effect.sync(() => {
      for (let written = 0; written < bytes.length; ) written += writeSync(1, bytes, written)
    })
  })
).pipe(Command.withDescription("the bytes of a digest, checked"))

export const blob = Command.make("blob").pipe(
  Command.withDescription("bytes kept under their digest"),
  Command.withSubcommands([put, get, verify, gc])
)
