/**
 * Sessions with a screen: a tmux server for each identity, with one window in it, to which people can attach. It is spoken to by
 * commands of tmux; where its terminal writes to, how it ends and who it is told like of a plain process (contracts: peers 4).
 */
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { Data, Effect, Schedule } from "effect"
import { locate } from "./launch.js"
import { type Command, SpawnFailed } from "./ProcessHost.js"
import { type SessionFolder, wrapperName, wrapperScript } from "./SessionFolder.js"
import type { SessionMemory } from "./Sessions.js"

export class TmuxFailed extends Data.TaggedError("TmuxFailed")<{ readonly detail: string }> {}

export interface TmuxHost {
  /** Why no session can be started here, if so. */
  readonly missing: Effect.Effect<string | undefined>
  /** Starts the wrapper with the command in it, on a screen of its own; completes with its pid. */
  readonly start: (
    identity: string,
    folder: SessionFolder,
    memory: SessionMemory,
    command: Command
  ) => Effect.Effect<number, SpawnFailed>
  /** Puts a text in as if it had been pasted: what is in it presses no keys. */
  readonly paste: (identity: string, text: string) => Effect.Effect<void, TmuxFailed>
  readonly press: (identity: string, keys: ReadonlyArray<string>) => Effect.Effect<void, TmuxFailed>
  /** What its screen shows; empty when it has none any more. */
  readonly screen: (identity: string) => Effect.Effect<string>
  /** Somebody looks at it. */
  readonly isAttended: (identity: string) => Effect.Effect<boolean>
  /** Waits until the server of a session that has ended is gone, and ends it if it stays. */
  readonly close: (identity: string) => Effect.Effect<void>
  /** The command by which a person attaches. */
  readonly target: (identity: string) => ReadonlyArray<string>
}

export interface TmuxPlace {
  readonly stateDir: string
  readonly workspace: string
  readonly environment: { readonly [name: string]: string | undefined }
}

const columns = "220"
const lines = "50"
/** The oldest that has what is used here. */
const oldest = 3.2
/** A path to a Unix socket must not be longer, bytes. */
const maxSocketPath = 100
/** How long a server whose session has ended may take to go by itself. */
const goneMs = 1_000
const stepMs = 20

export const makeTmuxHost = (place: TmuxPlace): TmuxHost => {
  const binary = () => locate("tmux", "/", place.environment.PATH ?? "")
  const socketOf = makeSocketPath(place)
  const { PATH, HOME, LANG } = place.environment
  const plain = Object.fromEntries(
    Object.entries({ PATH, HOME, LANG }).filter(([, value]) => value !== undefined)
  ) as { readonly [name: string]: string }

  const run = (identity: string, args: ReadonlyArray<string>, more: Call = {}) =>
    call(binary() ?? "tmux", ["-u", "-f", "/dev/null", "-S", socketOf(identity), ...args], {
      env: plain,
      ...more
    })

  const isUp = (identity: string): Effect.Effect<boolean> =>
    existsSync(socketOf(identity))
      ? Effect.match(run(identity, ["list-sessions"]), { onSuccess: () => true, onFailure: () => false })
      : Effect.succeed(false)

  const kill = (identity: string): Effect.Effect<void> =>
    Effect.zipRight(Effect.ignore(run(identity, ["kill-server"])), awaitGone(identity))

  const awaitGone = (identity: string): Effect.Effect<void> =>
    Effect.repeat(
      Effect.suspend(() => isUp(identity)),
      { while: (up) => up, schedule: Schedule.spaced(stepMs) }
    ).pipe(Effect.timeoutOption(goneMs), Effect.asVoid)

  return {
    missing: Effect.suspend(() => {
      const path = binary()
      if (path === undefined) return Effect.succeed("tmux is not on PATH; install it")
      return Effect.match(call(path, ["-V"], { env: plain }), {
        onFailure: ({ detail }) => `tmux does not run: ${detail}`,
        onSuccess: (said) => {
          const version = Number(/(\d+\.\d+)/.exec(said)?.[1] ?? Number.POSITIVE_INFINITY)
          return version >= oldest ? undefined : `${said.trim()} is older than ${oldest}`
        }
      })
    }),
    start: (identity, folder, memory, { argv, cwd, env }) =>
      Effect.gen(function* () {
        yield* kill(identity)
        mkdirSync(join(socketOf(identity), ".."), { recursive: true, mode: 0o700 })
        const wrapped = ["/bin/sh", "-c", wrapperScript, wrapperName, folder.path, ...argv].map(literal)
        const window = ["-d", "-x", columns, "-y", lines, "-s", identity, "-P", "-F", "#{pane_pid}"]
        // One call, so that nothing of what it writes comes before the pipe. The environment is the server's own.
        const output = ["pipe-pane", "-t", paneOf(identity), `exec cat >> ${shellWord(folder.file("out"))}`]
        const said = yield* run(identity, ["new-session", ...window, ...wrapped, ";", ...output], {
          cwd,
          env
        })
        memory.isOwn = true
        return Number(said.trim())
      }).pipe(Effect.mapError(({ detail }) => new SpawnFailed({ detail: `tmux: ${detail}` }))),
    paste: (identity, text) =>
      Effect.zipRight(
        run(identity, ["load-buffer", "-b", "mound", "-"], { input: withoutControls(text) }),
        Effect.asVoid(run(identity, ["paste-buffer", "-p", "-d", "-b", "mound", "-t", paneOf(identity)]))
      ),
    press: (identity, keys) => Effect.asVoid(run(identity, ["send-keys", "-t", paneOf(identity), ...keys])),
    screen: (identity) =>
      Effect.orElseSucceed(run(identity, ["capture-pane", "-p", "-t", paneOf(identity)]), () => ""),
    isAttended: (identity) =>
      Effect.match(run(identity, ["list-clients", "-F", "client"]), {
        onFailure: () => false,
        onSuccess: (said) => said.trim() !== ""
      }),
    close: (identity) =>
      Effect.zipRight(
        awaitGone(identity),
        Effect.flatMap(isUp(identity), (up) => (up ? kill(identity) : Effect.void))
      ),
    target: (identity) => ["tmux", "-S", socketOf(identity), "attach", "-t", `=${identity}`]
  }
}

const paneOf = (identity: string): string => `=${identity}:`

/** An argument that ends in a semicolon would end the command. */
const literal = (argument: string): string => argument.replace(/;$/, "\\;")

/** A word for the shell, in a text that tmux looks through for its formats and the time's. */
const shellWord = (text: string): string =>
  `'${text.replaceAll("'", "'\\''").replaceAll("#", "##").replaceAll("%", "%%")}'`

/** Without what could end the paste and press keys: all controls but line breaks and tabs (contracts: peers 4). */
export const withoutControls = (text: string): string =>
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "\ufffd")

/** In the workspace, or where paths are short when that is too deep for a socket. */
const makeSocketPath = ({ stateDir, workspace, environment }: TmuxPlace) => {
  const hash = createHash("sha256").update(workspace).digest("hex").slice(0, 8)
  const runtimeDir = environment.XDG_RUNTIME_DIR
  const folders = [
    join(stateDir, "run"),
    ...(runtimeDir ? [join(runtimeDir, `mound-${hash}`)] : []),
    `/tmp/mound-${process.getuid?.() ?? 0}-${hash}`
  ]
  return (identity: string): string => {
    const paths = folders.map((folder) => join(folder, `${identity}.sock`))
    return paths.find((path) => Buffer.byteLength(path) <= maxSocketPath) ?? (paths.at(-1) as string)
  }
}

interface Call {
  readonly env?: { readonly [name: string]: string }
  readonly cwd?: string
  readonly input?: string
}

/** Runs a program to its end; completes with what it said. */
const call = (
  program: string,
  args: ReadonlyArray<string>,
  { env, cwd, input = "" }: Call
): Effect.Effect<string, TmuxFailed> =>
  Effect.async((resume) => {
    const child = spawn(program, [...args], { stdio: "pipe", ...(env && { env }), ...(cwd && { cwd }) })
    let said = ""
    let complained = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complained += text
    })
    // One that ends without reading is told of by its exit code.
    child.stdin.on("error", () => {}).end(input)
    child.once("error", (error) => resume(new TmuxFailed({ detail: error.message })))
    child.once("close", (code) =>
      resume(
        code === 0
          ? Effect.succeed(said)
          : new TmuxFailed({ detail: complained.trim() || `it ended with code ${code}` })
      )
    )
  })
