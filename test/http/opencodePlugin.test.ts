/**
 * The old OpenCode plugin's own code, as its authors published it, against this hub: its client, its choice of what to act on, and
 * its event hook (contracts: ledger 1 and 5.1). Its tools are the client's four calls in OpenCode's own wrapping.
 */
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { describe, expect } from "@effect/vitest"
import type { TestHub } from "../support/hub.js"
import { onHub } from "../support/onHub.js"

type Sent = Promise<{ readonly ok: boolean; readonly status: number; readonly text: string }>
interface SbpClient {
  readonly base: string
  readonly publish: (body: object) => Sent
  readonly listPheromones: () => Sent
  readonly claim: (id: string) => Sent
  readonly inflate: (id: string) => Sent
}
type EventHook = (input: { readonly event: object }) => Promise<void>

const main = createRequire(import.meta.url).resolve("@oh-my-stigmergy/opencode-plugin")
/** The package exports its entry only; its client is a file beside it. */
const load = (file: string) => import(/* @vite-ignore */ pathToFileURL(join(dirname(main), file)).href)

const clientOf = async ({ url }: TestHub): Promise<SbpClient> =>
  (await load("sbpClient.mjs")).createSbpClient({ baseUrl: `${url}/` })

const eventHookOf = async (hub: TestHub, logged: Array<string>): Promise<EventHook> => {
  const log = async ({ body }: { readonly body: { readonly message: string } }) => logged.push(body.message)
  const { buildEventHandler } = await load("events.mjs")
  return buildEventHandler({ sbp: await clientOf(hub), client: { app: { log } }, defaultStance: "" })
}

const mark = (id: string) => ({ id, stanceTarget: "security_auditing", baseIntensity: 1, decayRate: 0.05 })

describe("the OpenCode plugin's client", () => {
  onHub("publishes, lists, inflates and claims, whatever the id", async (hub) => {
    const sbp = await clientOf(hub)
    expect(sbp.base).toBe(hub.url)
    for (const id of ["plain", "a b/ü", "x:1", "50%"]) {
      expect(await sbp.publish({ ...mark(id), payload: { id } })).toEqual({
        ok: true,
        status: 201,
        text: "ok"
      })
      expect(await sbp.claim(id)).toEqual({ ok: true, status: 200, text: "ok" })
      expect(await sbp.claim(id)).toEqual({ ok: false, status: 409, text: "claimed" })
      expect(await sbp.inflate(id)).toEqual({ ok: true, status: 200, text: "ok" })
    }
    const { ok, text } = await sbp.listPheromones()
    const rows = JSON.parse(text) as ReadonlyArray<{ readonly id: string; readonly inflations: number }>
    expect([ok, rows.map(({ id, inflations }) => [id, inflations])]).toEqual([
      true,
      ["plain", "a b/ü", "x:1", "50%"].map((id) => [id, 1])
    ])
  })

  onHub("is told what is wrong in the words that it knows", async (hub) => {
    const sbp = await clientOf(hub)
    expect(await sbp.publish({})).toEqual({ ok: false, status: 400, text: "missing id" })
    expect((await sbp.publish({ ...mark("a"), decayRate: "fast" })).text).toBe("decayRate")
    expect(await sbp.claim("nobody")).toEqual({ ok: false, status: 404, text: "missing" })
    expect(await sbp.inflate("nobody")).toEqual({ ok: false, status: 404, text: "missing" })
  })
})

describe("the OpenCode plugin", () => {
  onHub("finds in the list what is strong enough to act on", async (hub) => {
    const sbp = await clientOf(hub)
    for (const [id, baseIntensity, more] of [
      ["weak", 0.2, {}],
      ["strong", 1, { payload: { file: "a.ts" } }],
      ["else", 1, { stanceTarget: "other" }]
    ] as const) {
      await sbp.publish({ ...mark(id), decayRate: 0, baseIntensity, ...more })
    }
    const actionable = async (): Promise<ReadonlyArray<object>> => {
      const { filterActionablePheromones } = await load("orchestration.mjs")
      const wanted = { olfactoryThreshold: 0.5, stanceTarget: "security_auditing", limit: 10 }
      return JSON.parse(filterActionablePheromones((await sbp.listPheromones()).text, wanted))
    }
    expect(await actionable()).toMatchObject([{ id: "strong", intensity: 1, payload: { file: "a.ts" } }])
    await sbp.inflate("weak")
    expect(await actionable()).toMatchObject([{ id: "weak", intensity: 1.2 }, { id: "strong" }])
  })

  onHub(
    "leaves a mark for what happens in its session, and fails softly while the hub is away",
    async (hub) => {
      const logged: Array<string> = []
      const event = await eventHookOf(hub, logged)
      await event({ event: { type: "session.idle" } })
      await event({ event: { type: "file.edited", path: "src/ü.ts" } })
      expect(await hub.listed()).toMatchObject([
        { stanceTarget: "feature_implementation", baseIntensity: 0.35, payload: { event: "session.idle" } },
        { stanceTarget: "feature_implementation", baseIntensity: 0.45, payload: { path: "src/ü.ts" } }
      ])
      await hub.end()
      await event({ event: { type: "session.idle" } })
      expect(logged).toEqual([
        "sbp_publish_ok:session_idle",
        "sbp_publish_ok:file_edited",
        "sbp_publish_error:session_idle"
      ])
    }
  )
})
