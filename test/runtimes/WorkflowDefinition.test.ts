import { describe, expect, it } from "@effect/vitest"
import { type DefinitionInvalid, readDefinition } from "../../src/runtimes/WorkflowDefinition.js"

const moderator = () => "r"
const read = (role: unknown) => readDefinition({ default: { roles: { r: role }, moderator } }, "w/index.ts")
const roleOf = (role: unknown) => read(role).roles.get("r")?.as
const problemOf = (module: { readonly [name: string]: unknown }) => {
  try {
    readDefinition(module, "w/index.ts")
    return undefined
  } catch (error) {
    return (error as DefinitionInvalid).problem
  }
}
const problem = (role: unknown) => problemOf({ default: { roles: { r: role }, moderator } })

describe("a workflow's module", () => {
  it("is a default export or one named workflow, also inside a default export as compilers leave it", () => {
    const definition = { roles: { r: () => {} }, moderator }
    const modules = [{ default: definition }, { workflow: definition }, { default: { workflow: definition } }]
    for (const module of modules)
      expect([...readDefinition(module, "w/index.ts").roles.keys()]).toEqual(["r"])
  })

  it("says what is wrong with it, and where", () => {
    expect(problemOf({})).toMatch(/^w\/index\.ts: needs a default export \{ roles, moderator \}/)
    expect(problemOf({ default: { roles: { r: () => {} } } })).toMatch(/moderator must be a function/)
    expect(problemOf({ default: { roles: {}, moderator } })).toMatch(/roles must be an object of roles/)
  })

  it("is played by its worker unless its roles say otherwise", () => {
    const worker = { executor: { kind: "worker" }, inDoubt: "retry", maxAttempts: 3 }
    expect(roleOf(() => {})).toEqual(worker)
    expect(roleOf({ run: () => {}, inDoubt: "hold", maxAttempts: 5, timeout: "2m" })).toEqual({
      ...worker,
      inDoubt: "hold",
      maxAttempts: 5,
      timeoutMs: 120_000
    })
    expect(roleOf({ executor: "open", stance: "reviewer" })?.executor).toEqual({
      kind: "open",
      stance: "reviewer",
      leaseMs: 900_000
    })
    expect(
      roleOf({ executor: "peer", peer: "ada", runtime: "tmux", lease: "1h", maxAttempts: 2 })?.executor
    ).toEqual({ kind: "peer", peer: "ada", runtime: "tmux", leaseMs: 3_600_000, maxAttempts: 2 })
  })

  it("has no role that nobody could play", () => {
    expect(problem({})).toMatch(/roles\.r: run must be a function/)
    expect(problem({ executor: "robot" })).toMatch(/executor must be "open" or "peer"/)
    expect(problem({ executor: "open" })).toMatch(/stance must be a text/)
    expect(problem({ executor: "peer" })).toMatch(/peer must be the name of a peer/)
    expect(problem({ executor: "peer", peer: "Ada" })).toMatch(/peer must be the name of a peer/)
    expect(problem({ executor: "peer", peer: "ada", runtime: "a-b" })).toMatch(/runtime must be the name/)
    expect(problem({ executor: "open", stance: "s", lease: "soon" })).toMatch(/lease must be a duration/)
    expect(problem({ run: () => {}, maxAttempts: 11 })).toMatch(/maxAttempts must be an integer from 1 to 10/)
    expect(problem({ run: () => {}, inDoubt: "guess" })).toMatch(/inDoubt must be/)
  })
})
