import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { type DevHub, moundIn, startDev, workspaceFolder } from "../support/binaries.js"
import { deposit, eventsIn, post } from "../support/hubs.js"

interface Place {
  readonly hub: DevHub
  readonly workspace: string
  readonly mound: ReturnType<typeof moundIn>
  /** Runs a verb that is to succeed and answers with what it prints. */
  readonly say: (...words: ReadonlyArray<string>) => Effect.Effect<string>
}

/** A hub in a workspace of its own. */
const place: Effect.Effect<Place, never, Scope.Scope> = Effect.gen(function* () {
  const workspace = yield* workspaceFolder()
  const mound = moundIn(workspace)
  const say = (...words: ReadonlyArray<string>) =>
    Effect.map(mound("claim", ...words), ({ code, stdout, stderr }) => {
      expect([words, code, stderr]).toEqual([words, 0, ""])
      return stdout
    })
  return { hub: yield* startDev(workspace), workspace, mound, say }
})

const tokenIn = (text: string): string => text.trim().split("\t").at(-1) as string

describe("mound claim", () => {
  it.scopedLive("deposits, lists and shows marks", () =>
    Effect.gen(function* () {
      const { say, workspace, mound } = yield* place
      writeFileSync(join(workspace, "payload.json"), '{"files":[1]}')
      const payload = ["--payload", "@payload.json", "--max-attempts", "3", "--decay", "0.5"]
      expect(yield* say("deposit", "a b/ü", "--stance", "reviewer", "--base", "-1.5", ...payload)).toBe("5\n")
      const answer = yield* say("deposit", "w2", "--stance", "s", "--base", "2", "--json")
      expect(JSON.parse(answer)).toEqual({ id: "w2", state: "open", version: 1, offset: 6 })
      const list = (yield* say("list", "--stance", "s")).trimEnd().split("\n")
      expect(list.map((line) => line.split(/ {2,}/))).toEqual([
        ["ID", "STATE", "INTENSITY", "STANCE", "HOLDER", "TOKEN", "EXPIRES"],
        ["w2", "open", "2.0000", "s", "-", "-", "-"]
      ])
      const rows = JSON.parse(yield* say("list", "--min", "1", "--state", "open", "--limit", "5", "--json"))
      expect(rows).toMatchObject({ offset: 6, rows: [{ id: "w2" }] })
      expect(JSON.parse(yield* say("show", "a b/ü"))).toMatchObject({
        maxAttempts: 3,
        record: { stanceTarget: "reviewer", baseIntensity: -1.5, decayRate: 0.5, payload: { files: [1] } }
      })
      expect(JSON.parse(yield* say("show", "a b/ü", "--at", "5", "--json"))).toMatchObject({ offset: 5 })
      expect((yield* mound("claim", "show", "w2", "--at", "5")).stderr).toContain('there is no mark "w2"')
    })
  )

  it.scopedLive("takes, renews, verifies and completes one by name", () =>
    Effect.gen(function* () {
      const { say, hub, mound } = yield* place
      yield* deposit(hub, "w1")
      const token = tokenIn(
        yield* say("take", "w1", "--as", "ann", "--instance", "one", "--ttl", "5m", "--grace", "2m")
      )
      expect(token).toBe("6")
      expect(yield* say("renew", "w1", "--token", token)).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z\n$/)
      expect(yield* say("verify", "w1", "--token", token)).toBe("held.active\n")
      expect(JSON.parse(yield* say("verify", "w1", "--token", token, "--json"))).toMatchObject({ token: 6 })
      const shown = JSON.parse(yield* say("show", "w1"))
      expect(shown).toMatchObject({ holder: { peer: "ann", instance: "one" }, token: 6, attempt: 1 })
      expect(shown.expiresAt - shown.grantedAt).toBe(300_000)
      const result = ["--summary", "it works", "--result", '{"ok":true}']
      expect(yield* say("complete", "w1", "--token", token, ...result)).toBe("done\n")
      const { stderr, code } = yield* mound("claim", "verify", "w1", "--token", token)
      expect([code, stderr]).toEqual([1, expect.stringContaining("the token 6 is not current")])
    })
  )

  it.scopedLive("takes the strongest, by weighted stances, and says so when there is none", () =>
    Effect.gen(function* () {
      const { say, hub, mound } = yield* place
      yield* deposit(hub, "weak", 1)
      yield* deposit(hub, "strong", 5)
      expect(yield* say("next", "--as", "ann", "--forever", "--stance", "s=0.5")).toBe("strong\t7\n")
      expect(JSON.parse(yield* say("next", "--as", "bob", "--prefix", "w", "--json"))).toMatchObject({
        id: "weak"
      })
      expect(yield* say("renew", "strong", "--token", "7")).toBe("forever\n")
      const none = yield* mound("claim", "next", "--as", "cyd", "--min", "2", "--json")
      expect(none.code).toBe(1)
      expect(JSON.parse(none.stdout)).toMatchObject({ _tag: "NoneOpen", message: "no open mark matches" })
    })
  )

  it.scopedLive("waits for a mark to open", () =>
    Effect.gen(function* () {
      const { say, hub } = yield* place
      const waiting = yield* Effect.fork(say("next", "--as", "ann", "--wait", "20s"))
      yield* deposit(hub, "late")
      expect(yield* waiting).toBe("late\t6\n")
    })
  )

  it.scopedLive("fails, releases, revokes, reopens, inflates and evaporates", () =>
    Effect.gen(function* () {
      const { say, hub, workspace } = yield* place
      yield* deposit(hub, "w1")
      const take = Effect.map(post(hub, "/claims/w1/claim", { peer: "ann" }), ({ token }) => String(token))
      expect(yield* say("release", "w1", "--token", yield* take, "--reason", "lunch")).toBe("open\n")
      expect(
        yield* say("fail", "w1", "--token", yield* take, "--reason", "broke", "--retry-after", "1h")
      ).toBe("open\n")
      yield* take
      expect(yield* say("revoke", "w1", "--reason", "needed")).toBe("open\n")
      expect(yield* say("fail", "w1", "--token", yield* take, "--reason", "hopeless", "--no-retry")).toBe(
        "done\n"
      )
      expect(yield* say("reopen", "w1", "--reason", "hope")).toBe("open\n")
      expect(yield* say("inflate", "w1")).toBe("open\n")
      expect(yield* say("evaporate", "w1", "--reason", "old")).toBe("evaporated\n")
      const data = (yield* eventsIn(workspace))
        .filter(({ type }) => type === "ClaimFailed")
        .map(({ data }) => data)
      expect(data).toMatchObject([
        { reason: "broke", retry: true, retryAfterMs: 3_600_000 },
        { reason: "hopeless", retry: false }
      ])
    })
  )

  it.scopedLive("hands over and reclaims", () =>
    Effect.gen(function* () {
      const { say, hub, mound } = yield* place
      yield* deposit(hub, "w1")
      const { token } = yield* post(hub, "/claims/w1/claim", { peer: "ann" })
      const offer = ["handoff", "offer", "w1", "--token", String(token), "--to", "bob", "--for", "5m"]
      expect(yield* say(...offer)).toBe("held.offered\n")
      expect(yield* say("handoff", "decline", "w1", "--as", "bob")).toBe("held.active\n")
      yield* say(...offer)
      expect(yield* say("handoff", "withdraw", "w1", "--token", String(token))).toBe("held.active\n")
      yield* say(...offer)
      const own = tokenIn(yield* say("handoff", "accept", "w1", "--as", "bob", "--ttl", "1m"))
      const live = ["claim", "reclaim", "w1", "--as", "eve", "--expect", own, "--reason", "urgent"]
      expect((yield* mound(...live)).stderr).toContain("bob")
      const taken = yield* mound(...live, "--force")
      expect(taken).toMatchObject({ code: 0, stderr: "" })
      expect(Number(taken.stdout)).toBeGreaterThan(Number(own))
    })
  )

  it.scopedLive("claims what has no mark only when told to", () =>
    Effect.gen(function* () {
      const { say, mound } = yield* place
      const unknown = yield* mound("claim", "take", "w1", "--as", "ann")
      expect(unknown.code).toBe(1)
      expect(unknown.stderr).toContain('there is no mark "w1"\nfix: ')
      expect(yield* say("take", "w1", "--as", "ann", "--preclaim")).toBe("5\n")
    })
  )

  it.scopedLive("prints a refusal with its reason and what to do, as one JSON value if asked", () =>
    Effect.gen(function* () {
      const { hub, mound } = yield* place
      yield* deposit(hub, "w1")
      yield* post(hub, "/claims/w1/claim", { peer: "ann", ttlMs: 60_000 })
      const refused = yield* mound("claim", "take", "w1", "--as", "bob", "--json")
      expect(refused.code).toBe(1)
      expect(JSON.parse(refused.stdout)).toMatchObject({
        _tag: "AlreadyClaimed",
        message: "ann holds this claim under token 6",
        fix: expect.any(String),
        by: "ann",
        token: 6
      })
      expect(refused.stderr).toMatch(/^mound: ann holds this claim under token 6\nfix: /)
    })
  )

  it.scopedLive("gives exit code 2 to what the hub calls invalid, naming the field", () =>
    Effect.gen(function* () {
      const { hub, mound } = yield* place
      yield* deposit(hub, "w1")
      const wrong: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
        [["take", "w1", "--as", "no spaces"], "peer"],
        [["take", "w1", "--as", "ann", "--ttl", "1ms"], "ttlMs"],
        [["list", "--limit", "0"], "limit"],
        [["next", "--as", "ann", "--stance", "s=2"], "stances"]
      ]
      for (const [words, field] of wrong) {
        const refused = yield* mound("claim", ...words, "--json")
        expect([words, refused.code]).toEqual([words, 2])
        expect(JSON.parse(refused.stdout)).toMatchObject({
          _tag: "InvalidCommand",
          message: expect.stringContaining(field)
        })
      }
    })
  )
})

describe("mound ledger sweep", () => {
  it.scopedLive("says what it would drop, and drops it", () =>
    Effect.gen(function* () {
      const { hub, mound } = yield* place
      yield* deposit(hub, "faded", 0.001)
      yield* deposit(hub, "strong", 1)
      for (const id of ["faded", "strong"]) {
        const { token } = yield* post(hub, `/claims/${id}/claim`, { peer: "ann" })
        yield* post(hub, `/claims/${id}/complete`, { token })
      }
      const sweep = (...words: ReadonlyArray<string>) =>
        Effect.map(mound("ledger", "sweep", ...words), ({ stdout }) => stdout)
      expect(yield* sweep("--dry-run")).toBe('{"kept":1,"dropped":1}\n')
      expect(yield* sweep("--json")).toBe('{"kept":1,"dropped":1}\n')
      expect(yield* sweep("--floor", "2")).toBe('{"kept":0,"dropped":1}\n')
    })
  )
})
