/** The verbs of `mound peer` about a session that runs: attach, interrupt, compact, logs; and what a session asks for itself. */
import { closeSync, existsSync, openSync, readdirSync, readSync } from "node:fs"
import { join } from "node:path"
import { StringDecoder } from "node:string_decoder"
import { Command, Options } from "@effect/cli"
import { Effect, Option } from "effect"
import { environment } from "../config/process.js"
import type { PresenceOutcome } from "../http/peersApi.js"
import { SessionFolder } from "../runtimes/SessionFolder.js"
import { type AskingOptions, ask, asking, given } from "./ask.js"
import { startCommand } from "./ChildCommand.js"
import { type Client, connect, explainFailure } from "./Client.js"
import { CliFailure } from "./CliFailure.js"
import { json, stateDirOf, workspace } from "./common.js"
import { print, writeOut } from "./output.js"
import { move, outcomeLine, runtime, startMs, type VerbRequest } from "./peerMove.js"
import { peerName } from "./peerRegister.js"

const named = { name: peerName, runtime, ...asking }

const request = (
  { name, runtime: on }: { readonly name: string; readonly runtime: Option.Option<string> },
  wait: number
): VerbRequest => ({
  path: { personality: name },
  urlParams: { wait },
  payload: given({ runtime: on })
})

const notReached = (outcome: PresenceOutcome) =>
  new CliFailure({
    tag: "NotReached",
    message: outcomeLine(outcome),
    fix: `mound peer why ${outcome.personality} ${outcome.runtime}`,
    exitCode: 1
  })

/** A person at a terminal gets the session's screen; a program gets the command that shows it. */
export const attach = Command.make("attach", named, (options) =>
  Effect.gen(function* () {
    const client = yield* connect(options)
    const { outcomes } = yield* client.peers.attachPeer(request(options, startMs))
    const [outcome] = outcomes
    if (outcome?.target === undefined) return yield* notReached(outcome as PresenceOutcome)
    if (options.json) return yield* print(JSON.stringify(outcome))
    if (!process.stdout.isTTY || !process.stdin.isTTY) return yield* print(outcome.target.map(word).join(" "))
    const screen = yield* startCommand(outcome.target, { TMUX: "" })
    const { exitCode } = yield* screen.ended
    if (exitCode === 0) return
    const message = `tmux ended with code ${exitCode}`
    return yield* new CliFailure({ tag: "NotAttached", message, exitCode: 1 })
  }).pipe(Effect.scoped, Effect.mapError(explainFailure))
).pipe(Command.withDescription("show a session's screen; one that is asleep goes on with its last session"))

/** As a shell takes it. */
const word = (text: string): string =>
  /^[A-Za-z0-9_./:@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

export const interrupt = Command.make("interrupt", named, (options) =>
  move(options, ({ peers }) => peers.interruptPeer(request(options, 0)))
).pipe(Command.withDescription("have a session leave off what it is doing"))

/** It is waited for so long (contracts: peers 5). */
const compactMs = 290_000

export const compact = Command.make("compact", named, (options) =>
  move(
    options,
    ({ peers }) => peers.compactPeer(request(options, compactMs)),
    ({ action }) => action === "compacted"
  )
).pipe(Command.withDescription("have a session make its memory smaller, and wait until it has"))

const followMs = 200
const chunkBytes = 64 * 1_024

export const logs = Command.make(
  "logs",
  {
    name: peerName,
    runtime,
    follow: Options.boolean("follow").pipe(
      Options.withAlias("f"),
      Options.withDescription("go on as output comes")
    ),
    workspace,
    json
  },
  (options) =>
    Effect.gen(function* () {
      const root = join(yield* stateDirOf(options.workspace), "sessions")
      const { name } = options
      const isMeant = (identity: string | undefined) =>
        identity !== undefined &&
        Option.match(options.runtime, {
          onNone: () => identity.slice(identity.indexOf("-") + 1) === name,
          onSome: (on) => identity === `${on}-${name}`
        })
      /** Sessions are named in the order of their times. */
      const newest = () =>
        (existsSync(root) ? readdirSync(root) : [])
          .sort()
          .findLast((id) => isMeant(new SessionFolder(root, id).read("identity")))
      let shown: string | undefined
      let offset = 0
      do {
        const session = newest()
        if (session === undefined && !options.follow) {
          return yield* new CliFailure({
            tag: "NoSession",
            message: `${name} has had no session here`,
            fix: `mound peer wake ${name}`,
            exitCode: 1
          })
        }
        if (session !== shown) offset = 0
        shown = session
        if (session !== undefined) offset = show(new SessionFolder(root, session), offset, options.json)
        if (options.follow) yield* Effect.sleep(followMs)
      } while (options.follow)
    })
).pipe(Command.withDescription("what its newest session has printed"))

/** Prints a session's output from an offset on; the offset after it. */
const show = (folder: SessionFolder, from: number, asJson: boolean): number => {
  const path = folder.file("out")
  if (!existsSync(path)) return from
  const file = openSync(path, "r")
  const text = new StringDecoder()
  try {
    const buffer = Buffer.alloc(chunkBytes)
    let output = ""
    let offset = from
    for (let length = -1; length !== 0; offset += length) {
      length = readSync(file, buffer, 0, chunkBytes, offset)
      const read = buffer.subarray(0, length)
      if (asJson) output += text.write(read)
      else writeOut(process.stdout.fd, read)
    }
    if (asJson && offset > from) {
      writeOut(process.stdout.fd, `${JSON.stringify({ session: folder.sessionId, output })}\n`)
    }
    return offset
  } finally {
    closeSync(file)
  }
}

/** What only a session can ask. */
const inside = <Answer, E>(
  request: (client: Client) => Effect.Effect<Answer, E>,
  said: string,
  options: AskingOptions
) =>
  environment.MOUND_SESSION_TOKEN?.trim()
    ? ask(options, {}, request, () => said)
    : Effect.fail(
        new CliFailure({
          tag: "NoSession",
          message: "this is no session of a peer",
          fix: "call it from inside one",
          exitCode: 1
        })
      )

export const selfFresh = Command.make("self-fresh", asking, (options) =>
  inside(({ peers }) => peers.selfFresh({ payload: {} }), "a fresh session follows", options)
).pipe(Command.withDescription("inside a session: end it and begin anew"))

export const selfDone = Command.make("self-done", asking, (options) =>
  inside(({ peers }) => peers.selfDone({ payload: {} }), "done", options)
).pipe(Command.withDescription("inside a session that takes one message: it is done with it"))
