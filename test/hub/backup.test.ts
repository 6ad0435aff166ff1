import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { makeWorkspace, runMound } from "../support/runMound.js"

const journal = (workspace: string, ...args: ReadonlyArray<string>) =>
  runMound([...args, "--workspace", workspace], { binary: "journal" })
const mound = (workspace: string, ...args: ReadonlyArray<string>) =>
  runMound([...args, "--workspace", workspace])

const post = (url: string, path: string, body: object) =>
  Effect.promise(() => fetch(`${url}${path}`, { method: "POST", body: JSON.stringify(body) }))

const deposit = (url: string, id: string) =>
  post(url, "/claims", { record: { id, stanceTarget: "review", baseIntensity: 1, decayRate: 0 } })

describe("a backup", () => {
  it.live(
    "taken under load restores to a journal that verifies, with the same rows, its leases revoked and a name of its own",
    () =>
      Effect.gen(function* () {
        const source = yield* makeWorkspace("ledger:\n  lease:\n    ttl: 10m\n")
        const url = (yield* mound(source, "start")).stdout.trim()
        for (let index = 0; index < 50; index++) yield* deposit(url, `before-${index}`)
        yield* post(url, "/claims/before-0/claim", { peer: "ada" })
        yield* post(url, "/claims/before-1/claim", { peer: "ada", ttlMs: null })
        let count = 0
        const load = yield* Effect.fork(Effect.forever(Effect.suspend(() => deposit(url, `load-${count++}`))))
        const dir = join(source, "backup")
        const taken = yield* journal(source, "backup", dir, "--json")
        yield* Fiber.interrupt(load)
        expect(taken.code).toBe(0)
        const { offset } = JSON.parse(taken.stdout) as { offset: number }
        const recorded = yield* journal(source, "tail", "-n", "100000", "--json")
        expect(recorded.stdout).toContain('"type":"BackupTaken"')

        const target = yield* makeWorkspace()
        const restored = yield* journal(target, "import", dir, "--json")
        expect(restored.code).toBe(0)
        expect(JSON.parse(restored.stdout)).toMatchObject({ revoked: 1 })
        expect((yield* journal(target, "verify")).code).toBe(0)
        expect((yield* journal(target, "replay")).code).toBe(0)
        const rows = (workspace: string) =>
          journal(workspace, "replay", "--projection", "claims", "--until", String(offset), "--json")
        expect((yield* rows(target)).stdout).toBe((yield* rows(source)).stdout)

        const { stdout: other } = yield* mound(target, "start")
        const held = yield* Effect.promise(async () =>
          (await fetch(`${other.trim()}/claims?state=held`)).json()
        )
        expect((held as { rows: ReadonlyArray<object> }).rows).toMatchObject([{ id: "before-1" }])
        const head = yield* Effect.promise(() => fetch(`${url}/journal?limit=1`))
        const stale = { headers: { "mound-journal-id": head.headers.get("mound-journal-id") ?? "" } }
        expect((yield* Effect.promise(() => fetch(`${other.trim()}/journal`, stale))).status).toBe(409)
      }).pipe(Effect.scoped),
    120_000
  )

  it.live("is never written over anything, and is not there until it is whole", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace()
      yield* mound(workspace, "start")
      const dir = join(workspace, "backup")
      expect((yield* journal(workspace, "backup", dir)).code).toBe(0)
      const before = readFileSync(join(dir, "backup.json"), "utf8")
      const again = yield* journal(workspace, "backup", dir)
      expect(again.code).toBe(1)
      expect(again.stderr).toContain("exists already")
      expect(readFileSync(join(dir, "backup.json"), "utf8")).toBe(before)
      expect(existsSync(`${dir}.partial`)).toBe(false)
      expect((yield* journal(workspace, "import", dir)).code).not.toBe(0)
    }).pipe(Effect.scoped)
  )

  it.live("that was changed or is not whole is refused, and the workspace stays as it was", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace()
      yield* mound(workspace, "start")
      yield* mound(workspace, "stop")
      const dir = join(workspace, "backup")
      yield* journal(workspace, "backup", dir)
      const target = yield* makeWorkspace()
      appendFileSync(join(dir, "mound.yaml"), "\n# later\n")
      const changed = yield* journal(target, "import", dir)
      expect(changed.code).toBe(1)
      expect(changed.stderr).toContain("mound.yaml is not what backup.json says")
      writeFileSync(join(dir, "backup.json"), "{}")
      expect((yield* journal(target, "import", dir)).stderr).toContain("backup.json is not valid")
      expect(existsSync(join(target, ".mound/mound.db"))).toBe(false)
    }).pipe(Effect.scoped)
  )
})
