/** `mound peer register` and `remove`. */
import { resolve } from "node:path"
import { Args, Command, Options } from "@effect/cli"
import { Effect, Option } from "effect"
import { foreignCommand, workingDirectory } from "../config/process.js"
import { ask, asking, given } from "./ask.js"
import { optionalText } from "./common.js"

export const peerName = Args.text({ name: "PEER" })

export const register = Command.make(
  "register",
  {
    name: peerName,
    cwd: optionalText("cwd", "the folder that it lives in; by default this one"),
    runtime: Options.text("runtime").pipe(
      Options.repeated,
      Options.withDescription("a way to run it; by default process")
    ),
    description: optionalText("description", "what it is good for, as other agents see it"),
    intelligence: Options.choice("intelligence", [
      "artificial",
      "natural",
      "absent",
      "human",
      "scripted"
    ]).pipe(Options.optional),
    always: Options.boolean("always").pipe(Options.withDescription("keep it up whenever it is not stopped")),
    resume: Options.choice("resume", ["topic", "always", "never"]).pipe(
      Options.optional,
      Options.withDescription("when it goes on with its last session")
    ),
    wake: Options.choice("wake", ["shared", "ephemeral"]).pipe(
      Options.optional,
      Options.withDescription("ephemeral: a fresh session for each message")
    ),
    seed: optionalText("seed", "what each fresh session hears first"),
    ...asking
  },
  (options) =>
    ask(
      options,
      given({
        personality: options.name,
        cwd: resolve(
          workingDirectory,
          Option.getOrElse(options.cwd, () => ".")
        ),
        runtimes: options.runtime.length > 0 ? options.runtime : undefined,
        description: options.description,
        intelligence: options.intelligence,
        restart: options.always ? ("always" as const) : undefined,
        resume: options.resume,
        wake: options.wake,
        seedPrompt: options.seed,
        launch: foreignCommand.length > 0 ? launchOf(options.runtime) : undefined
      }),
      ({ peers }, payload) => peers.registerPeer({ payload }),
      ({ peer: { personality, runtimes }, truncated }) =>
        `${personality} (${runtimes.join(", ")}): registered${truncated ? ", its description was cut to 450 characters" : ""}`
    )
).pipe(
  Command.withDescription("add a peer, or merge into the one of that name; what it starts follows after --")
)

/** The command is the process's; where another one runtime is named, that one's. */
const launchOf = (runtimes: ReadonlyArray<string>) => {
  const [only = "process"] = runtimes.length === 1 ? runtimes : []
  return { [only]: { args: foreignCommand } }
}

const counted = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`

export const remove = Command.make(
  "remove",
  {
    name: peerName,
    force: Options.boolean("force").pipe(
      Options.withDescription("also while it is up: its sessions are ended first")
    ),
    ...asking
  },
  (options) =>
    ask(
      options,
      given({ force: options.force ? ("true" as const) : undefined }),
      ({ peers }, urlParams) =>
        Effect.map(peers.removePeer({ path: { personality: options.name }, urlParams }), (answer) => ({
          personality: options.name,
          ...answer
        })),
      ({ personality, action, sessionsEnded, messagesFailed }) =>
        action === "absent"
          ? `${personality}: absent`
          : `${personality}: removed, ${counted(sessionsEnded, "session")} ended, ${counted(messagesFailed, "message")} failed`
    )
).pipe(Command.withDescription("take a peer off the registry; its folder is never touched"))
