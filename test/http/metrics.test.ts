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
      expect(lines).toContain("mound_up 1")
      expect(text).toContain("mound_journal_append_seconds_bucket")
      expect(text).not.toContain("secret-id")
    }).pipe(Effect.scoped)
  )
})
