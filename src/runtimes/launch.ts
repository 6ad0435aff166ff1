/** What is run for a session: its command with the templates filled in, and its environment (contracts: peers 4). */
import { accessSync, constants, statSync } from "node:fs"
import { delimiter, isAbsolute, join, resolve } from "node:path"
import { formatIdentity, type Identity } from "../actors/peer/Identity.js"
import type { Registration } from "../actors/peer/PeerEvent.js"
import type { RuntimeConfig } from "../config/RuntimeConfig.js"
import type { PeerWorld } from "./PeerWorld.js"

/** What templates stand for. */
export interface Templates {
  readonly personality: string
  readonly runtime: string
  readonly identity: string
  readonly cwd: string
  readonly cwd_slug: string
  readonly home: string
  readonly session_id: string
  readonly session_dir: string
  readonly resume_ref: string
  readonly url: string
  /** A file that tells programs with tools of their own where the hub's are. */
  readonly mcp_config: string
}

export const templatesOf = (
  { sessionsRoot, environment, url, runtime }: PeerWorld,
  identity: Identity,
  { cwd, launch }: Registration,
  sessionId: string,
  resumeRef: string | null
): Templates => ({
  ...identity,
  identity: formatIdentity(identity),
  cwd,
  cwd_slug: cwd.replace(/[^A-Za-z0-9]/g, "-"),
  home: launch[identity.runtime]?.env.HOME ?? runtime(identity.runtime)?.env.HOME ?? environment.HOME ?? "",
  session_id: sessionId,
  session_dir: join(sessionsRoot, sessionId),
  resume_ref: resumeRef ?? "",
  url: url(),
  mcp_config: join(sessionsRoot, sessionId, "mcp.json")
})

/** A name in braces that is no template stays as it is. */
export const fill = (text: string, templates: Templates): string =>
  text.replace(/\{([a-z_]+)\}/g, (whole, name: string) => templates[name as keyof Templates] ?? whole)

/** An argument in brackets is passed only where nobody is there to be asked. */
const approved = (argument: string, unattended: boolean): ReadonlyArray<string> => {
  const [, bracketed] = /^\[(--?[a-z-]+)\]$/.exec(argument) ?? []
  if (bracketed === undefined) return [argument]
  return unattended ? [bracketed] : []
}

/** The commands of a fresh and of a resumed session. */
export const commandsOf = (
  config: RuntimeConfig,
  { launch }: Registration,
  runtime: string,
  templates: Templates
): { readonly freshArgv: ReadonlyArray<string>; readonly resumeArgv: ReadonlyArray<string> } => {
  const args = launch[runtime]?.args ?? []
  const filled = (argv: ReadonlyArray<string>) =>
    argv.flatMap((each) => approved(each, config.unattended)).map((each) => fill(each, templates))
  return {
    freshArgv: filled([...config.argv, ...args]),
    resumeArgv: config.resumeArgv.length === 0 ? [] : filled([...config.resumeArgv, ...args])
  }
}

/** The hub's own environment without what is between it and its starter, and what the session is told. */
export const environmentOf = (
  world: PeerWorld,
  identity: Identity,
  config: RuntimeConfig,
  { launch }: Registration,
  session: { readonly id: string; readonly token: string }
): { readonly [name: string]: string } => {
  const inherited = Object.entries(world.environment).filter(
    // Nor is it in the terminal that the hub was perhaps started from.
    ([name, value]) => value !== undefined && !/^(MOUND_|IAPEER_|TMUX$|TMUX_)/.test(name)
  )
  return {
    ...(Object.fromEntries(inherited) as { readonly [name: string]: string }),
    ...config.env,
    ...launch[identity.runtime]?.env,
    PEER_PERSONALITY: identity.personality,
    PEER_RUNTIME: identity.runtime,
    PEER_IDENTITY: formatIdentity(identity),
    MOUND_WORKSPACE: world.workspace,
    MOUND_URL: world.url(),
    MOUND_SESSION_ID: session.id,
    MOUND_SESSION_TOKEN: session.token,
    IAPEER_BEARER: session.token
  }
}

export const isFolder = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false

/** Where a command is found: by its path, from the folder on, or on PATH. */
export const locate = (name: string, cwd: string, path: string): string | undefined => {
  const candidates = name.includes("/")
    ? [isAbsolute(name) ? name : resolve(cwd, name)]
    : path.split(delimiter).flatMap((folder) => (folder === "" ? [] : [join(folder, name)]))
  return candidates.find(isExecutable)
}

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
