/** Changes the file of agents' tokens: one writer at a time, and a reader finds the old file or the new one, whole. */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync
} from "node:fs"
import { dirname } from "node:path"
import { Effect, Schedule, Schema } from "effect"
import { type Agents, type AuthFileInvalid, attempt, digestOf, digestPrefix, readAgents } from "./agents.js"

/** Somebody else changes the file, or was killed while it did. */
export class TokensFileBusy extends Schema.TaggedError<TokensFileBusy>()("TokensFileBusy", {
  lock: Schema.String
}) {
  override get message() {
    return `the tokens file is being changed: ${this.lock} is there`
  }
  get fix() {
    return `try again; if nobody changes it, remove ${this.lock}`
  }
}

/** As a person names a token: the beginning of its digest. */
export const tokenId = (sha256: string): string => sha256.slice(0, 12)

export interface AgentEntry {
  readonly agentId: string
  readonly class: string
  readonly scope: string
  readonly maxHeld?: number
  readonly createdAt: string
}

/** The file as it is being changed. */
export interface EditedAgents {
  /** Answers with the new token's id. */
  readonly add: (token: string, entry: AgentEntry) => string
  /** Removes the one token whose id begins so; answers with the agents of all that do. */
  readonly remove: (id: string) => ReadonlyArray<string>
}

export const listAgents = (path: string): Effect.Effect<Agents, AuthFileInvalid> =>
  attempt(() => readAgents(path))

/** A file that is not there yet is an empty one. A fault in it is told of, and nothing is changed. */
export const editAgents = <A>(
  path: string,
  edit: (file: EditedAgents) => A
): Effect.Effect<A, AuthFileInvalid | TokensFileBusy> => {
  const lock = `${path}.lock`
  const take = Effect.try({
    try: () => {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      closeSync(openSync(lock, "wx", 0o600))
    },
    catch: (error) => error as { readonly code?: string }
  }).pipe(
    Effect.retry({ while: ({ code }) => code === "EEXIST", schedule: patience }),
    Effect.catchAll((error) => (error.code === "EEXIST" ? new TokensFileBusy({ lock }) : Effect.die(error)))
  )
  return Effect.acquireUseRelease(
    take,
    () => attempt(() => change(path, edit)),
    () => Effect.sync(() => rmSync(lock, { force: true }))
  )
}

/** Another writer is done in no time. */
const patience = Schedule.intersect(Schedule.spaced("20 millis"), Schedule.recurs(100))

const change = <A>(path: string, edit: (file: EditedAgents) => A): A => {
  const isThere = statSync(path, { throwIfNoEntry: false }) !== undefined
  const agents = isThere ? readAgents(path) : new Map()
  const file = isThere ? (JSON.parse(readFileSync(path, "utf8")) as TokensFile) : { tokens: {} }
  const { tokens } = file
  const answer = edit({
    add: (token, entry) => {
      const sha256 = digestOf(token)
      tokens[`${digestPrefix}${sha256}`] = entry
      return tokenId(sha256)
    },
    remove: (id) => {
      const meant = [...agents.keys()].filter((sha256) => id !== "" && sha256.startsWith(id))
      const [only] = meant
      for (const token of meant.length === 1 ? Object.keys(tokens) : []) {
        if (token === `${digestPrefix}${only}` || digestOf(token) === only) delete tokens[token]
      }
      return meant.map((sha256) => agents.get(sha256)?.agentId ?? "")
    }
  })
  write(path, JSON.stringify(file, null, 2))
  return answer
}

interface TokensFile {
  readonly tokens: { [token: string]: unknown }
}

const write = (path: string, text: string): void => {
  const temporary = `${path}.new`
  const descriptor = openSync(temporary, "w", 0o600)
  try {
    writeSync(descriptor, `${text}\n`)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  renameSync(temporary, path)
}
