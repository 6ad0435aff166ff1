/** A workflow as its module defines it, checked once when it is loaded (contracts: senses and workflows 2.2). */
import { Data, Schema } from "effect"
import { Personality, RuntimeName } from "../actors/peer/Identity.js"
import type { Role } from "../actors/run/RunCommand.js"
import { exported } from "./userModules.js"
import { END } from "./workspaceModule.js"

type UserFunction = (argument: unknown) => unknown

/** How a role is played, and by what function if the worker plays it. */
export interface RoleDefinition {
  readonly as: Role
  readonly run: UserFunction | undefined
  /** What whoever claims it is asked; else the prompt and the last step are shown. */
  readonly ask: UserFunction | undefined
}

export interface WorkflowDefinition {
  readonly roles: ReadonlyMap<string, RoleDefinition>
  readonly moderator: UserFunction
}

/** The module does not define a workflow: what is wrong, and where. */
export class DefinitionInvalid extends Data.TaggedError("DefinitionInvalid")<{ readonly problem: string }> {}

const defaultAttempts = 3
const maxAttempts = 10
const defaultLeaseMs = 900_000
const units: { readonly [unit: string]: number } = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

type Fields = { readonly [name: string]: unknown }
const isObject = (value: unknown): value is Fields => typeof value === "object" && value !== null

/** The default export, or the named one `workflow`. Throws what is wrong with it. */
export const readDefinition = (module: Fields, path: string): WorkflowDefinition => {
  const wrong = (problem: string) => new DefinitionInvalid({ problem: `${path}: ${problem}` })
  const named = exported(module, "workflow")
  const defaulted = exported(module, "default")
  const definition = [named, defaulted, module.default].find((each) => isObject(each) && "roles" in each)
  if (!isObject(definition)) {
    throw wrong("needs a default export { roles, moderator }, or an export named workflow")
  }
  const { roles, moderator } = definition
  if (typeof moderator !== "function") throw wrong("moderator must be a function")
  if (!isObject(roles) || Object.keys(roles).length === 0) throw wrong("roles must be an object of roles")
  return {
    moderator: moderator as UserFunction,
    roles: new Map(
      Object.entries(roles).map(([name, role]) => {
        if (name === END || name === "") throw wrong(`roles: ${JSON.stringify(name)} cannot be a role's name`)
        return [name, readRole(role, (problem) => wrong(`roles.${name}: ${problem}`))]
      })
    )
  }
}

const readRole = (role: unknown, wrong: (problem: string) => Error): RoleDefinition => {
  const worker = { executor: { kind: "worker" }, inDoubt: "retry", maxAttempts: defaultAttempts } as const
  if (typeof role === "function") return { as: worker, run: role as UserFunction, ask: undefined }
  if (!isObject(role)) throw wrong("must be a function, or an object with run or executor")
  const timeoutMs = readDuration(role.timeout, (problem) => wrong(`timeout ${problem}`))
  const attempts = readAttempts(role.maxAttempts, wrong)
  const timed = timeoutMs === undefined ? {} : { timeoutMs }
  if (role.executor === undefined) {
    if (typeof role.run !== "function") throw wrong("run must be a function")
    const { inDoubt = "retry" } = role
    if (inDoubt !== "retry" && inDoubt !== "hold") throw wrong('inDoubt must be "retry" or "hold"')
    const as = { ...worker, inDoubt, maxAttempts: attempts ?? defaultAttempts, ...timed } as const
    return { as, run: role.run as UserFunction, ask: undefined }
  }
  const player = readPlayer(role, wrong)
  if (role.ask !== undefined && typeof role.ask !== "function") throw wrong("ask must be a function")
  const leaseMs = readDuration(role.lease, (problem) => wrong(`lease ${problem}`)) ?? defaultLeaseMs
  const executor = { ...player, leaseMs, ...(attempts !== undefined && { maxAttempts: attempts }) }
  return {
    as: { executor, inDoubt: "retry", maxAttempts: 1, ...timed },
    run: undefined,
    ask: role.ask as UserFunction | undefined
  }
}

/** Who plays a role that is not played by the worker: whoever claims it, or one peer. */
const readPlayer = ({ executor, stance, peer, runtime }: Fields, wrong: (problem: string) => Error) => {
  switch (executor) {
    case "open":
      if (typeof stance !== "string" || stance === "") throw wrong("stance must be a text")
      return { kind: "open", stance } as const
    case "peer": {
      if (!isPersonality(peer)) throw wrong("peer must be the name of a peer")
      if (runtime === undefined) return { kind: "peer", peer } as const
      if (!isRuntimeName(runtime)) throw wrong("runtime must be the name of a runtime")
      return { kind: "peer", peer, runtime } as const
    }
    default:
      throw wrong('executor must be "open" or "peer", or left out for the workflow\'s own worker')
  }
}

const isPersonality = Schema.is(Personality)
const isRuntimeName = Schema.is(RuntimeName)

const readAttempts = (given: unknown, wrong: (problem: string) => Error): number | undefined => {
  if (given === undefined) return undefined
  const isCount = Number.isInteger(given) && (given as number) >= 1 && (given as number) <= maxAttempts
  if (!isCount) throw wrong(`maxAttempts must be an integer from 1 to ${maxAttempts}`)
  return given as number
}

const readDuration = (given: unknown, wrong: (problem: string) => Error): number | undefined => {
  if (given === undefined) return undefined
  const [, count = "", unit = ""] = /^([0-9]+)(ms|s|m|h|d)$/.exec(String(given)) ?? []
  const ms = Number(count) * (units[unit] ?? Number.NaN)
  if (!Number.isSafeInteger(ms) || ms <= 0) throw wrong("must be a duration such as 30s or 5m")
  return ms
}
