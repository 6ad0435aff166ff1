/** The file of agents' tokens and the registry of kinds (contracts: ledger 5.4). */
import { readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { attempt, digestOf, readAgents, readKinds } from "../../src/config/agents.js"
import { editAgents, listAgents, tokenId } from "../../src/config/editAgents.js"
import { temporaryFolder } from "../support/stores.js"

const ann = { agentId: "ann", class: "worker" }
const secret = "s3cret-of-nobody-else"

const fileWith = (contents: unknown) =>
  Effect.map(temporaryFolder, (folder) => {
    const path = join(folder, "tokens.json")
    writeFileSync(path, typeof contents === "string" ? contents : JSON.stringify(contents))
    return path
  })

const problemsOf = (path: string) =>
  Effect.map(Effect.flip(attempt(() => readAgents(path))), ({ problems }) => problems)

describe("the tokens file", () => {
  it.scoped("takes tokens as the old project has them, and digests in their place", () =>
    Effect.gen(function* () {
      const path = yield* fileWith({
        tokens: {
          [secret]: ann,
          [`sha256:${digestOf("other")}`]: {
            agentId: "bob",
            class: "privileged",
            scope: "agent",
            maxHeld: 3
          },
          boss: { agentId: "boss", class: "privileged" },
          reader: { ...ann, scope: "read", createdAt: "2026-01-01" }
        }
      })
      const agents = yield* listAgents(path)
      const shown = (token: string) => agents.get(digestOf(token))
      expect(shown(secret)).toMatchObject({ ...ann, scope: "agent", isClear: true })
      expect(shown("other")).toMatchObject({ agentId: "bob", scope: "agent", maxHeld: 3, isClear: false })
      expect([shown("boss")?.scope, shown("reader")?.scope]).toEqual(["operator", "read"])
      expect(agents.size).toBe(4)
    })
  )

  it.scoped("is refused with all that is wrong in it, and with no token", () =>
    Effect.gen(function* () {
      const entries: ReadonlyArray<readonly [entry: unknown, problem: RegExp]> = [
        [5, /^entry 1 must be an object/],
        [{ class: "worker" }, /^entry 1 has no agentId/],
        [{ ...ann, agentId: "a b" }, /^entry 1 has no agentId/],
        [{ ...ann, agentId: "operator" }, /^entry 1 has no agentId/],
        [{ agentId: "ann" }, /^entry 1 \(ann\) has no class/],
        [{ ...ann, class: "chief" }, /^entry 1 \(ann\) has no class/],
        [{ ...ann, scope: "write" }, /^entry 1 \(ann\) scope must be/],
        [{ ...ann, scope: "operator" }, /needs class privileged/],
        [{ ...ann, scop: "read" }, /unknown fields: scop/],
        [{ ...ann, maxHeld: 1.5 }, /maxHeld must be/]
      ]
      for (const [entry, problem] of entries) {
        const problems = yield* problemsOf(yield* fileWith({ tokens: { [secret]: entry } }))
        expect([entry, problems]).toEqual([entry, [expect.stringMatching(problem)]])
        expect(problems.join()).not.toContain(secret)
      }
      const several = { tokens: { [secret]: 5, "sha256:12": ann, "": ann } }
      expect(yield* problemsOf(yield* fileWith(several))).toHaveLength(3)
      const twice = { tokens: { [secret]: ann, [`sha256:${digestOf(secret)}`]: ann } }
      expect(yield* problemsOf(yield* fileWith(twice))).toEqual([expect.stringContaining("another entry")])
    })
  )

  it.scoped("says of what is no JSON nothing that stands in it", () =>
    Effect.gen(function* () {
      for (const text of [`{"tokens":{"${secret}":}}`, secret, `{"tokens":["${secret}"]}`, "null"]) {
        const path = yield* fileWith(text)
        const { message } = yield* Effect.flip(attempt(() => readAgents(path)))
        expect(message).toMatch(
          /^ledger.auth.tokens_file: \/.* (is not valid JSON \(line 1\)|has no object tokens)$/
        )
        expect(message).not.toContain(secret.slice(0, 6))
      }
      expect(yield* problemsOf("/nowhere/tokens.json")).toEqual(["cannot be read (ENOENT)"])
    })
  )

  it.scoped("names the line where it stops being JSON", () =>
    Effect.gen(function* () {
      const entry = '"sha256:0": {"agentId": "ann", "class": "worker"}'
      const wrong: ReadonlyArray<readonly [text: string, line: number]> = [
        [`{\n  "tokens": {\n    ${entry},,\n  }\n}\n`, 3],
        [`{\n  "tokens": {\n    ${entry},\n  }\n}\n`, 4],
        [`{\n  "tokens": {\n    ${entry}\n  }\n`, 5],
        [`{\n  "tokens": nothing\n}`, 2],
        [`{\n  "tokens": {"torn`, 2]
      ]
      for (const [text, line] of wrong) {
        expect([text, yield* problemsOf(yield* fileWith(text))]).toEqual([
          text,
          [`is not valid JSON (line ${line})`]
        ])
      }
    })
  )

  it.scoped("gets new tokens as digests, readable by its owner alone, also by many at once", () =>
    Effect.gen(function* () {
      const path = join(yield* temporaryFolder, "deeper", "tokens.json")
      const entry = { ...ann, scope: "agent", createdAt: "2026-01-01T00:00:00.000Z" }
      const names = Array.from({ length: 20 }, (_, n) => `${secret}-${n}`)
      const add = (token: string) => editAgents(path, (file) => file.add(token, entry))
      const ids = yield* Effect.forEach(names, add, { concurrency: "unbounded" })
      expect(statSync(path).mode & 0o777).toBe(0o600)
      expect(readFileSync(path, "utf8")).not.toContain(secret)
      const agents = yield* listAgents(path)
      expect([...agents.keys()].map(tokenId).sort()).toEqual([...ids].sort())
    })
  )

  it.scoped("loses the token that is meant and no other, whatever way it stands there", () =>
    Effect.gen(function* () {
      const path = yield* fileWith({
        tokens: { [secret]: ann, [`sha256:${digestOf("b")}`]: { ...ann, agentId: "bob" } },
        note: 1
      })
      const remove = (id: string) => editAgents(path, (file) => file.remove(id))
      expect(yield* remove("")).toEqual([])
      expect(yield* remove("zz")).toEqual([])
      expect((yield* listAgents(path)).size).toBe(2)
      expect(yield* remove(tokenId(digestOf(secret)))).toEqual(["ann"])
      expect([...(yield* listAgents(path)).values()].map(({ agentId }) => agentId)).toEqual(["bob"])
      expect(yield* remove(digestOf("b"))).toEqual(["bob"])
      expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({ tokens: {}, note: 1 })
    })
  )

  it.scoped("that cannot be used is not changed", () =>
    Effect.gen(function* () {
      const path = yield* fileWith({ tokens: { [secret]: 5 } })
      const before = readFileSync(path, "utf8")
      yield* Effect.flip(editAgents(path, (file) => file.remove("a")))
      expect(readFileSync(path, "utf8")).toBe(before)
    })
  )
})

describe("the registry of kinds", () => {
  it.scoped("names the classes that may publish each", () =>
    Effect.gen(function* () {
      const path = yield* fileWith({ kinds: { alarm: { publishableBy: ["privileged"] } } })
      expect(readKinds(path)).toEqual(new Map([["alarm", new Set(["privileged"])]]))
      for (const entry of [5, {}, { publishableBy: "worker" }, { publishableBy: ["chief"] }]) {
        const bad = yield* fileWith({ kinds: { alarm: entry } })
        const { message } = yield* Effect.flip(attempt(() => readKinds(bad)))
        expect(message).toContain("kinds.alarm.publishableBy must be a list")
      }
    })
  )
})
