import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { makeWorkspace, runMound } from "../support/runMound.js"

const request = (url: string, init?: RequestInit) =>
  Effect.promise(async () => (await fetch(url, init)).text())

describe("GET /metrics", () => {
  it.live("counts what was carried out and what was refused, with labels that no id can enter", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace()
      const url = (yield* runMound(["start", "--workspace", workspace])).stdout.trim()
      const mark = { id: "secret-id", stanceTarget: "s", baseIntensity: 1, decayRate: 0 }
      for (const _ of [1, 2, 3])
        yield* request(`${url}/pheromones`, { method: "POST", body: JSON.stringify(mark) })
      yield* request(`${url}/pheromones/secret-id/claim`, { method: "POST" })
      yield* request(`${url}/pheromones/secret-id/claim`, { method: "POST" })
      const text = yield* request(`${url}/metrics`)
      const lines = text.split("\n")
      expect(lines).toContain(
        'mound_commands_total{kind="claim",command="DepositPheromone",outcome="appended"} 3'
      )
      expect(lines).toContain('mound_refusals_total{tag="AlreadyClaimed"} 1')
      expect(lines).toContain("mound_claims_held 1")
      expect(lines).toContain('mound_claims{state="held.active"} 1')
      expect(lines).toContain("mound_claim_conflicts_total 1")
      expect(lines).toContain("mound_claim_expired_total 0")
      expect(lines).toContain("mound_publish_seconds_count 3")
      expect(lines).toContain("mound_claim_seconds_count 1")
      expect(lines).toContain("mound_up 1")
      expect(text).toContain("mound_journal_append_seconds_bucket")
      expect(text).not.toContain("secret-id")
    }).pipe(Effect.scoped)
  )

  it.live("counts the leases whose grace ran out", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace()
      const url = (yield* runMound(["start", "--workspace", workspace])).stdout.trim()
      const mark = { id: "a", stanceTarget: "s", baseIntensity: 1, decayRate: 0 }
      yield* request(`${url}/pheromones`, { method: "POST", body: JSON.stringify(mark) })
      const lease = JSON.stringify({ peer: "ann", ttlMs: 1_000, graceMs: 0 })
      yield* request(`${url}/claims/a/claim`, { method: "POST", body: lease })
      let lines: ReadonlyArray<string> = []
      while (!lines.includes("mound_claim_expired_total 1")) {
        lines = (yield* request(`${url}/metrics`)).split("\n")
      }
      expect(lines).toContain('mound_claims{state="open"} 1')
      expect(lines).toContain('mound_claims{state="held.active"} 0')
    }).pipe(Effect.scoped)
  )
})
