/** What `mound doctor` and `mound validate` say of the files that agents' tokens and kinds are in. Nothing here quotes a token. */
import { statSync } from "node:fs"
import { Effect, Either } from "effect"
import { type Agents, type AuthFileInvalid, attempt, readAgents, readKinds } from "../config/agents.js"
import type { Settings } from "../config/Settings.js"
import type { Finding } from "./checks.js"

export interface TokenFiles {
  /** Undefined where no file of tokens is configured. */
  readonly agents: Agents | undefined
  /** With any of them a hub does not start. */
  readonly errors: ReadonlyArray<string>
  readonly warnings: ReadonlyArray<string>
}

export const mendTokens = "edit the file, or make it anew: mound token create --as AGENT"

/** Reads them as a hub would at its start. */
export const readTokenFiles = (settings: Settings): Effect.Effect<TokenFiles> =>
  Effect.gen(function* () {
    const path = settings["ledger.auth.tokens_file"]
    const kindsPath = settings["ledger.auth.kind_registry"]
    if (path === undefined) {
      const idle = "ledger.auth.kind_registry has no effect without ledger.auth.tokens_file"
      return { agents: undefined, errors: [], warnings: kindsPath === undefined ? [] : [idle] }
    }
    const agents = yield* Effect.either(attempt(() => readAgents(path)))
    const kinds = yield* Effect.either(
      attempt(() => (kindsPath === undefined ? undefined : readKinds(kindsPath)))
    )
    const errors = [agents, kinds].flatMap((read: Either.Either<unknown, AuthFileInvalid>) =>
      Either.isLeft(read) ? read.left.message.split("\n") : []
    )
    const warnings = [
      ...modeWarnings(path),
      ...(Either.isRight(agents) ? clearWarnings(path, agents.right) : [])
    ]
    return { agents: Either.getOrUndefined(agents), errors, warnings }
  })

export const tokensFinding = (settings: Settings): Effect.Effect<Finding> =>
  Effect.map(readTokenFiles(settings), ({ agents, errors, warnings }) => {
    if (errors.length > 0) return { level: "FAIL", text: errors.join("; "), fix: mendTokens }
    if (warnings.length > 0) return { level: "WARN", text: warnings.join("; ") }
    if (!agents) return { level: "INFO", text: "agents have no tokens of their own" }
    return { level: "OK", text: `${agents.size} tokens in ${settings["ledger.auth.tokens_file"]}` }
  })

const modeWarnings = (path: string): ReadonlyArray<string> => {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0
  const isOpen = (mode & 0o077) !== 0
  return isOpen ? [`${path} has mode ${(mode & 0o777).toString(8)}: chmod 600 ${path}`] : []
}

const clearWarnings = (path: string, agents: Agents): ReadonlyArray<string> => {
  const clear = [...agents.values()].filter(({ isClear }) => isClear).length
  return clear === 0
    ? []
    : [
        `${clear} tokens stand in ${path} as they are: put new ones in their place, mound token create --as AGENT`
      ]
}
