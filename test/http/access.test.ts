/** Who may talk to the hub, decided before a body is read (contracts: hub 5 and 8, ledger 3.4 no. 16). */
import { readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { HttpApi } from "@effect/platform"
import { describe, expect } from "@effect/vitest"
import { Effect } from "effect"
import { api } from "../../src/http/api.js"
import { onHub } from "../support/onHub.js"

const mark = { id: "a", stanceTarget: "s", baseIntensity: 1, decayRate: 0 }

/** Every method that some route of the protocol has. */
const methodsOf = (protocol: typeof api): ReadonlyArray<string> => {
  const methods = new Set<string>()
  HttpApi.reflect(protocol, {
    onGroup: () => {},
    onEndpoint: ({ endpoint }) => methods.add(endpoint.method)
  })
  expect(methods).toContain("DELETE")
  return [...methods]
}

describe("Host and Origin", () => {
  onHub("lets this machine's own names in, with any port", async ({ ask, port }) => {
    const own = [`127.0.0.1:${port}`, "127.0.0.1", "localhost", "LOCALHOST:1", "[::1]:80", "[::1]"]
    for (const host of own) {
      expect([host, (await ask("/health", { headers: { Host: host } })).status]).toEqual([host, 200])
    }
    const headers = { Host: `localhost:${port}`, Origin: `http://localhost:${port}` }
    expect((await ask("/pheromones", { body: mark, headers })).text).toBe("ok")
  })

  onHub("turns a foreign Host or Origin away, and appends nothing", async ({ ask, port, head }) => {
    const before = await head()
    const foreign: ReadonlyArray<readonly [need: string, headers: { readonly [name: string]: string }]> = [
      ["host", { Host: "evil.test" }],
      ["host", { Host: `localhost.evil.test:${port}` }],
      ["host", { Host: "127.0.0.1.evil.test" }],
      ["origin", { Origin: "https://evil.test" }],
      ["origin", { Origin: "null" }],
      ["origin", { Origin: `https://127.0.0.1:${port}` }],
      ["origin", { Origin: `http://127.0.0.1:${port + 1}` }],
      ["origin", { "Sec-Fetch-Site": "cross-site" }],
      ["origin", { Origin: `http://127.0.0.1:${port}`, "Sec-Fetch-Site": "cross-site" }]
    ]
    for (const [need, headers] of foreign) {
      const old = await ask("/pheromones", { body: mark, headers })
      expect([headers, old.status, old.text]).toEqual([headers, 403, "forbidden"])
      const typed = await ask("/claims", { body: { record: mark }, headers })
      expect([headers, typed.status, typed.json._tag, typed.json.need]).toEqual([
        headers,
        403,
        "NotAllowed",
        need
      ])
      expect(typed.json.fix).toContain(`http.allowed_${need}s`)
      expect((await ask("/readyz", { headers })).status).toBe(403)
      expect(typed.headers["access-control-allow-origin"]).toBeUndefined()
    }
    expect(await head()).toBe(before)
  })

  const allowed = "https://board.test"
  onHub(
    "lets the pages of an allowed origin in, and lets their browser know",
    async ({ ask }) => {
      const cross = { Origin: allowed, "Sec-Fetch-Site": "cross-site" }
      const answer = await ask("/pheromones", { body: mark, headers: cross })
      expect([answer.text, answer.headers["access-control-allow-origin"], answer.headers.vary]).toEqual([
        "ok",
        allowed,
        "Origin"
      ])
      const preflight = await ask("/claims/a/claim", {
        method: "OPTIONS",
        headers: { ...cross, "Access-Control-Request-Method": "POST" }
      })
      expect(preflight.status).toBe(204)
      const methods = String(preflight.headers["access-control-allow-methods"]).split(", ")
      expect(methodsOf(api).filter((method) => !methods.includes(method))).toEqual([])
      expect(preflight.headers["access-control-allow-headers"]).toContain("Idempotency-Key")
      expect((await ask("/health", { headers: { Host: "hub.lan:80" } })).status).toBe(200)
      expect((await ask("/health", { headers: { Host: "other.lan" } })).status).toBe(403)
      const other = { Origin: "https://evil.test", "Access-Control-Request-Method": "POST" }
      expect((await ask("/pheromones", { method: "OPTIONS", headers: other })).status).toBe(403)
    },
    { environment: { MOUND_HTTP_ALLOWED_ORIGINS: allowed, MOUND_HTTP_ALLOWED_HOSTS: "hub.lan" } }
  )
})

describe("the token", () => {
  const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })

  onHub(
    "is asked of everybody off loopback; without it the probes say one word",
    async ({ ask, folder, parts }) => {
      const path = join(folder, ".mound", "token")
      const token = readFileSync(path, "utf8")
      expect([token.length, statSync(path).mode & 0o777]).toEqual([43, 0o600])
      const offset = (await Effect.runPromise(parts.journal.head)).offset
      for (const headers of [{}, bearer("wrong"), { Authorization: `Basic ${token}` }, bearer("")]) {
        const old = await ask("/pheromones", { body: mark, headers })
        expect([old.status, old.text, old.headers["www-authenticate"]]).toEqual([401, "forbidden", "Bearer"])
        const typed = await ask("/claims/a/claim", { body: { peer: "p" }, headers })
        expect([typed.status, typed.json]).toMatchObject([401, { _tag: "NotAllowed", need: "token" }])
        for (const path of ["/docs", "/journal", "/stream", "/health"]) {
          expect([path, (await ask(path, { headers })).status]).toEqual([path, 401])
        }
        for (const path of ["/livez", "/readyz", "/healthz"]) {
          expect([path, (await ask(path, { headers })).text]).toEqual([path, '{"ok":true}'])
        }
      }
      expect((await Effect.runPromise(parts.journal.head)).offset).toBe(offset)
      const headers = bearer(token)
      expect((await ask("/pheromones", { body: mark, headers })).text).toBe("ok")
      expect((await ask("/readyz", { headers })).json).toMatchObject({ ready: true, offset: offset + 1 })
    },
    { settings: { "http.host": "0.0.0.0" } }
  )

  onHub(
    "is asked on loopback too where one is set",
    async ({ ask }) => {
      expect((await ask("/health")).status).toBe(401)
      expect((await ask("/health", { headers: bearer("s3cret") })).status).toBe(200)
    },
    { environment: { MOUND_TOKEN: "s3cret" } }
  )
})
