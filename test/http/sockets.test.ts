/** What no client library would send: the hub answers 4xx or rightly, closes what it must, and goes on (contracts: ledger 3.4, hub 5). */
import { describe, expect } from "@effect/vitest"
import { serverBeside } from "../support/hub.js"
import { onHub } from "../support/onHub.js"
import { openSocket, sendRaw, until } from "../support/sockets.js"

const head = (line: string, ...headers: ReadonlyArray<string>) =>
  `${[line, "Host: localhost", ...headers].join("\r\n")}\r\n\r\n`
const get = (path: string, ...headers: ReadonlyArray<string>) => head(`GET ${path} HTTP/1.1`, ...headers)
const post = (path: string, body: string, ...headers: ReadonlyArray<string>) =>
  head(`POST ${path} HTTP/1.1`, `Content-Length: ${Buffer.byteLength(body)}`, ...headers) + body
const close = "Connection: close"
const statuses = (answer: string) =>
  [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status))
const mark = (id: string, more: object = {}) =>
  JSON.stringify({ id, stanceTarget: "s", baseIntensity: 1, decayRate: 0, ...more })

describe("a request that is none", () => {
  onHub("is answered 4xx, and the hub lives", async ({ port, publish }) => {
    const malformed: ReadonlyArray<readonly [sent: string, status: number]> = [
      ["nonsense\r\n\r\n", 400],
      ["GET / HTTP/9.9\r\n\r\n", 400],
      ["GET /healthz HTTP/1.1\r\n\r\n", 400],
      ["\u0000\u0001\u0002\r\n\r\n", 400],
      [get("//", close), 404],
      [get("http://localhost/healthz", close), 404],
      [get("http://", close), 404],
      [get("*", close), 404],
      [get("/%", close), 404],
      [get("/claims/%ff", close), 400],
      [get("/pheromones?%", close), 200],
      [get(`/${"a".repeat(9_000)}`, close), 414],
      [get("/", `X: ${"a".repeat(17_000)}`), 431],
      [head("POST /pheromones HTTP/1.1", "Content-Length: -1"), 400],
      [head("POST /pheromones HTTP/1.1", "Content-Length: 1", "Content-Length: 2"), 400],
      [head("POST /pheromones HTTP/1.1", "Content-Length: 5", "Transfer-Encoding: chunked"), 400],
      [`${head("POST /pheromones HTTP/1.1", "Transfer-Encoding: chunked")}zz\r\n`, 400],
      [head("GET /healthz HTTP/1.1", "Bad Header: x"), 400],
      ["GET /healthz HTTP/1.0\r\n\r\n", 403],
      ["GET /healthz HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n", 403]
    ]
    for (const [sent, status] of malformed) {
      expect([sent.slice(0, 60), statuses(await sendRaw(port, [sent]))]).toEqual([
        sent.slice(0, 60),
        [status]
      ])
    }
    expect((await publish("still here")).text).toBe("ok")
  })

  onHub(
    "with a body shorter than it says waits for the rest; the rest of a longer one is no request",
    async (hub) => {
      const body = mark("long")
      const longer = await sendRaw(hub.port, [
        `${head("POST /pheromones HTTP/1.1", `Content-Length: ${body.length - 1}`)}${body}`
      ])
      expect(statuses(longer)).toEqual([400, 400])
      expect(await hub.listed()).toEqual([])
      const shorter = await sendRaw(
        hub.port,
        [`${head("POST /pheromones HTTP/1.1", `Content-Length: ${body.length + 1}`)}${body}`],
        { halfClose: true }
      )
      expect(statuses(shorter)).toEqual([400])
      expect(await hub.listed()).toEqual([])
    }
  )
})

describe("a connection", () => {
  onHub("that sends garbage behind a command gets the command's own answer first", async (hub) => {
    for (let index = 0; index < 20; index++) {
      const answer = await sendRaw(hub.port, [`${post("/pheromones", mark(`m${index}`))}garbage\r\n\r\n`])
      expect(statuses(answer)).toEqual([201, 400])
    }
    expect((await hub.listed()).length).toBe(20)
  })

  onHub("that sends garbage while it follows is cut, with nothing in between", async (hub) => {
    const answer = await sendRaw(hub.port, [get("/stream"), "garbage\r\n\r\n"])
    expect(answer === "" || statuses(answer).every((status) => status === 200)).toBe(true)
  })

  onHub("that pipelines gets its answers in order", async (hub) => {
    const sent = [
      post("/pheromones", mark("a")),
      post("/pheromones/a/claim", ""),
      post("/pheromones/a/claim", ""),
      get("/nothing"),
      get("/pheromones", close)
    ]
    expect(statuses(await sendRaw(hub.port, [sent.join("")]))).toEqual([201, 200, 409, 404, 200])
  })

  onHub("that brings a character in two segments brings it whole", async (hub) => {
    const payload = "ä€𝔘\u0000"
    const request = Buffer.from(post("/pheromones", mark("split", { payload }), close))
    const bytes = Array.from({ length: request.length }, (_, index) => request.subarray(index, index + 1))
    expect(statuses(await sendRaw(hub.port, bytes))).toEqual([201])
    expect((await hub.listed())[0]?.payload).toBe(payload)
  })

  onHub("that is half closed before its answer does no harm, and a command is done or not", async (hub) => {
    for (let index = 0; index < 10; index++) {
      const answer = await sendRaw(hub.port, [post("/pheromones", mark(`h${index}`))], { halfClose: true })
      expect([[], [201]]).toContainEqual(statuses(answer))
      if (answer !== "") expect((await hub.ask(`/claims/h${index}`)).status).toBe(200)
    }
    expect((await hub.publish("after")).text).toBe("ok")
  })

  onHub("that says its headers or body too slowly is told 408", async (hub) => {
    const limits = { headersTimeoutMs: 200, requestTimeoutMs: 400, maxConnections: 10 }
    const server = await serverBeside(hub, limits)
    const slowHead = sendRaw(server.port, ["GET /healthz HTTP/1.1\r\nHost: local"])
    const slowBody = sendRaw(server.port, [head("POST /pheromones HTTP/1.1", "Content-Length: 100"), "{"])
    expect([statuses(await slowHead), statuses(await slowBody)]).toEqual([[408], [408]])
    await until(() => server.open() === 0)
    await server.close()
  })

  onHub("beyond the limit is dropped, and there is room again when others go", async (hub) => {
    const limits = { headersTimeoutMs: 10_000, requestTimeoutMs: 60_000, maxConnections: 2 }
    const server = await serverBeside(hub, limits)
    const others = [await openSocket(server.port), await openSocket(server.port)]
    expect(await sendRaw(server.port, [get("/livez", close)])).toBe("")
    for (const socket of others) socket.destroy()
    await until(async () => statuses(await sendRaw(server.port, [get("/livez", close)]))[0] === 200)
    await server.close()
  })

  onHub("that goes away takes its work with it, pipelined requests too", async (hub) => {
    const server = await serverBeside(hub)
    const wait = JSON.stringify({ peer: "p", waitMs: 60_000 })
    for (let round = 0; round < 5; round++) {
      const socket = await openSocket(server.port)
      socket.write(post("/claims/next", wait) + get("/claims") + post("/claims/next", wait) + get("/stream"))
      await until(() => server.open() > 0)
      socket.destroy()
      await until(() => server.open() === 0)
    }
    await hub.publish("a")
    expect((await hub.ask("/claims/a")).json.state).toBe("open")
    await server.close()
  })

  onHub("that does not take its answer holds up nobody, and nothing is kept for it", async (hub) => {
    const server = await serverBeside(hub)
    const payload = "x".repeat(256 * 1024)
    const stalled = await openSocket(server.port)
    stalled.pause()
    stalled.write(get("/stream"))
    await until(() => server.open() === 1)
    const before = process.memoryUsage().rss
    for (let index = 0; index < 200; index += 10) {
      await Promise.all(
        Array.from({ length: 10 }, (_, each) => hub.publish(`m${(index + each) % 4}`, { payload }))
      )
    }
    // 50 MiB went past it; what it may hold is a page and the socket's own buffers, beside the hub's other work.
    expect(stalled.bytesRead).toBeLessThan(8 * 1024 * 1024)
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024)
    stalled.destroy()
    await until(() => server.open() === 0)
    await server.close()
  })
})
