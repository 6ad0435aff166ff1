import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { moundIn, run, startDev, workspaceFolder } from "../support/binaries.js"
import { deposit, eventsIn } from "../support/hubs.js"

const yaml = "ledger:\n  auth:\n    tokens_file: .mound/tokens.json\n"

const commandOf = (url: string, token: string, path: string, body: object) =>
  Effect.promise(async () => {
    const headers = { Authorization: `Bearer ${token}` }
    const response = await fetch(`${url}${path}`, { method: "POST", headers, body: JSON.stringify(body) })
    return response.status
  })

describe("mound token", () => {
  it.scopedLive("makes a token that the hub takes at once, lists it, and takes it back at once", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder(yaml)
      const mound = moundIn(workspace)
      const made = yield* mound("token", "create", "--as", "ann")
      expect([made.code, made.stdout]).toEqual([0, expect.stringMatching(/^[A-Za-z0-9_-]{43}\n$/)])
      const ann = made.stdout.trim()
      const file = join(workspace, ".mound", "tokens.json")
      expect([readFileSync(file, "utf8").includes(ann), made.stderr.includes(ann)]).toEqual([false, false])
      const hub = yield* startDev(workspace)
      expect(yield* commandOf(hub.url, ann, "/claims/next", {})).toBe(409)
      const more = ["--scope", "operator", "--max-held", "2", "--json"]
      const boss = JSON.parse((yield* mound("token", "create", "--as", "boss", ...more)).stdout)
      expect(boss).toMatchObject({ agentId: "boss", scope: "operator", class: "privileged" })
      expect(yield* commandOf(hub.url, boss.token, "/ledger/sweep", {})).toBe(200)
      const listed = JSON.parse((yield* mound("token", "list", "--json")).stdout)
      expect(listed).toMatchObject([
        { agentId: "ann", scope: "agent" },
        { id: boss.id, agentId: "boss", maxHeld: 2 }
      ])
      const revoked = yield* mound("token", "revoke", listed[0].id)
      expect([revoked.code, revoked.stdout]).toEqual([0, "revoked: a token of ann\n"])
      expect(yield* commandOf(hub.url, ann, "/claims/next", {})).toBe(403)
      expect((yield* mound("token", "revoke", listed[0].id)).code).toBe(1)
      // Verbs on this machine show the hub's own token, and an agent's verbs the agent's.
      yield* mound("claim", "deposit", "w", "--stance", "s", "--base", "1")
      const env = { MOUND_TOKEN: boss.token }
      const taken = yield* run("mound", ["claim", "take", "w", "--as", "boss"], { cwd: workspace, env })
      expect([taken.code, taken.stderr]).toEqual([0, ""])
      const events = (yield* eventsIn(workspace)).filter(({ stream }) => stream === "claim/w")
      expect(events.map(({ by }) => by)).toEqual(["operator", "boss"])
      expect(yield* deposit(hub, "x")).toMatchObject({ _tag: "NotAllowed", need: "token" })
      expect((yield* mound("status")).code).toBe(0)
    })
  )

  it.scopedLive("has its file looked at by doctor and validate, which name faults and quote no token", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder(yaml)
      const mound = moundIn(workspace)
      const file = join(workspace, ".mound", "tokens.json")
      const doctor = Effect.map(mound("doctor", "--json"), ({ code, stdout }) => {
        const found = JSON.parse(stdout.split("\n")[0] as string) as ReadonlyArray<{ readonly name: string }>
        return { code, ...found.find(({ name }) => name === "tokens") } as Record<string, unknown>
      })
      const both = (text: string, mode = 0o600) =>
        Effect.gen(function* () {
          writeFileSync(file, text)
          chmodSync(file, mode)
          return { doctor: yield* doctor, validate: yield* mound("validate") }
        })
      expect(yield* mound("validate")).toMatchObject({
        code: 1,
        stdout: `ledger.auth.tokens_file: ${file}: cannot be read (ENOENT)\n`
      })
      expect((yield* mound("token", "create", "--as", "ann")).code).toBe(0)
      expect(yield* doctor).toMatchObject({ code: 0, level: "OK", text: `1 tokens in ${file}` })
      expect((yield* mound("validate")).stderr).toBe("")
      const made = readFileSync(file, "utf8")
      const open = yield* both(made, 0o644)
      expect(open.doctor).toMatchObject({
        level: "WARN",
        text: `${file} has mode 644: chmod 600 ${file}`
      })
      expect([open.validate.code, open.validate.stderr]).toEqual([0, expect.stringContaining("chmod 600")])
      const secret = "token-of-ann-0123456789"
      const clear = yield* both(JSON.stringify({ tokens: { [secret]: { agentId: "ann", class: "worker" } } }))
      expect(clear.doctor).toMatchObject({
        level: "WARN",
        text: expect.stringContaining("1 tokens stand in")
      })
      const wrong = { agentId: "ann", class: "boss" }
      const unfit = yield* both(JSON.stringify({ tokens: { [secret]: wrong, other: { agentId: "a b" } } }))
      const problems = [
        `ledger.auth.tokens_file: ${file}: entry 1 (ann) has no class: it must be worker or privileged`,
        `ledger.auth.tokens_file: ${file}: entry 2 has no agentId of 1 to 128 of A-Za-z0-9._:@/- that is none of operator, hub, deadline, anonymous`
      ]
      expect(unfit.doctor).toMatchObject({
        code: 1,
        level: "FAIL",
        text: problems.join("; "),
        fix: expect.stringContaining("mound token create")
      })
      expect(unfit.validate).toMatchObject({ code: 1, stdout: `${problems.join("\n")}\n` })
      expect(unfit.validate.stderr).toContain("2 errors\nfix: edit the file")
      const broken = yield* both(`{"tokens": {\n  "${secret}": {"agentId": "ann",, "class": "worker"}\n}}\n`)
      expect(broken.doctor.text).toBe(`ledger.auth.tokens_file: ${file}: is not valid JSON (line 2)`)
      const torn = yield* both(made.slice(0, -4))
      expect(torn.validate.stdout).toMatch(/is not valid JSON \(line \d+\)\n$/)
      for (const { doctor, validate } of [clear, unfit, broken, torn]) {
        expect(JSON.stringify([doctor, validate])).not.toContain(secret)
      }
    })
  )

  it.scopedLive("says what it lacks", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const mound = moundIn(workspace)
      const nowhere = yield* mound("token", "create", "--as", "ann")
      expect([nowhere.code, nowhere.stderr]).toEqual([1, expect.stringContaining("ledger.auth.tokens_file")])
      const file = join(workspace, "t.json")
      const wrong: ReadonlyArray<ReadonlyArray<string>> = [
        ["--as", "a b"],
        ["--as", "hub"],
        ["--as", "ann", "--scope", "operator", "--class", "worker"],
        ["--as", "ann", "--max-held", "-1"]
      ]
      for (const words of wrong) {
        const { code } = yield* mound("token", "create", "--file", file, ...words)
        expect([words, code]).toEqual([words, 2])
      }
      expect(existsSync(file)).toBe(false)
    })
  )

  it.scopedLive(
    "is not needed by the verbs of this machine, also where MOUND_TOKEN asks everybody for one",
    () =>
      Effect.gen(function* () {
        const workspace = yield* workspaceFolder()
        const hub = yield* startDev(workspace, [], { MOUND_TOKEN: "of-the-operator" })
        expect(yield* commandOf(hub.url, "other", "/claims/next", { peer: "p" })).toBe(401)
        expect(yield* commandOf(hub.url, "of-the-operator", "/claims/next", { peer: "p" })).toBe(409)
        const mound = moundIn(workspace)
        expect((yield* mound("status")).code).toBe(0)
        expect((yield* mound("claim", "deposit", "w", "--stance", "s", "--base", "1")).code).toBe(0)
        expect((yield* mound("stop")).code).toBe(0)
      })
  )
})
