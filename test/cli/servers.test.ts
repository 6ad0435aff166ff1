/** `mound server`, and the servers in the registry (contracts: streams 5.6). */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { moundIn, startDev, workspaceFolder } from "../support/binaries.js"

const enabled = "streams:\n  enabled: true\n"

describe("mound server", () => {
  it.scopedLive("registers, lists and removes; a stranger's token is refused", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder(enabled)
      yield* startDev(workspace)
      const mound = moundIn(workspace)
      const first = yield* mound(
        "server",
        "register",
        "web",
        "--url",
        "http://127.0.0.1:4000",
        "--meta",
        "role=ui"
      )
      expect([first.code, first.stdout]).toMatchObject([0, expect.stringMatching(/^\d+\n$/)])
      const again = yield* mound(
        "server",
        "register",
        "web",
        "--url",
        "https://example.test/x",
        "--pid",
        "7",
        "--json"
      )
      const { token } = JSON.parse(again.stdout) as { token: number }
      const listed = yield* mound("server", "list", "--all", "--json")
      const entries = JSON.parse(listed.stdout) as ReadonlyArray<{ id: string }>
      expect(entries.find(({ id }) => id === "web")).toMatchObject({
        port: 443,
        pid: 7,
        state: "registered",
        token
      })
      expect((yield* mound("server", "list")).stdout).toMatch(/^web +registered +https:\/\/example\.test\/x/m)
      expect((yield* mound("server", "heartbeat", "web", "--token", String(token))).code).toBe(0)
      const stale = yield* mound("server", "remove", "web", "--token", first.stdout.trim(), "--json")
      expect([stale.code, JSON.parse(stale.stdout)]).toMatchObject([1, { _tag: "StaleToken" }])
      expect((yield* mound("server", "remove", "web")).code).toBe(0)
      expect((yield* mound("server", "remove", "web")).code).toBe(0)
      expect((yield* mound("server", "list")).stdout).not.toContain("web")
    })
  )

  it.scopedLive("stands in the registry beside the peers, page by page and as of then", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder(enabled)
      const { url } = yield* startDev(workspace)
      const mound = moundIn(workspace)
      yield* mound("peer", "register", "ann", "--", process.execPath, "-e", "0")
      yield* mound("server", "register", "web", "--url", "http://127.0.0.1:4000")
      const registry = (query: string) =>
        Effect.promise(async () => (await fetch(`${url}/registry${query}`)).json()).pipe(
          Effect.map(
            (body) =>
              body as {
                offset: number
                next: string | null
                rows: ReadonlyArray<{ kind: string; id?: string }>
              }
          )
        )
      const whole = yield* registry("")
      const kinds = new Set(whole.rows.map(({ kind }) => kind))
      expect([...kinds]).toEqual(["peer", "presence", "server"])
      const paged: Array<unknown> = []
      for (let cursor: string | null = ""; cursor !== null; ) {
        const page: Effect.Effect.Success<ReturnType<typeof registry>> = yield* registry(
          `?limit=1&cursor=${cursor}`
        )
        paged.push(...page.rows)
        cursor = page.next
      }
      expect(paged).toEqual(whole.rows)
      yield* mound("server", "remove", "web")
      const ids = (rows: ReadonlyArray<{ id?: string }>) => rows.map(({ id }) => id)
      expect(ids((yield* registry("?kind=server")).rows)).not.toContain("web")
      expect(ids((yield* registry(`?kind=server&at=${whole.offset}`)).rows)).toContain("web")
      expect((yield* mound("peer", "list")).stdout).not.toContain("web")
    })
  )

  it.scopedLive("says what to switch on while servers are off", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      yield* startDev(workspace)
      const off = yield* moundIn(workspace)("server", "list")
      expect([off.code, off.stderr]).toMatchObject([1, expect.stringContaining("streams.enabled: true")])
    })
  )
})
