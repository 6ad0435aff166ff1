/**
 * Sends a hub what no client would, from a seed: random and mutated bytes, JSON of any shape, requests in pieces, cut short, too long,
 * behind each other. Alone responsible for knowing what the answers may be.
 */
import { connect } from "node:net"
import { serverBeside, type TestHub } from "./hub.js"
import { until } from "./sockets.js"

export interface FuzzResult {
  readonly sent: number
  readonly statuses: ReadonlyMap<number, number>
  /** What must not have happened, in words. */
  readonly faults: ReadonlyArray<string>
}

/** Connections at a time. */
const width = 8
/** A client that has no answer after so long goes away. */
const patienceMs = 2_000
const limits = { headersTimeoutMs: 300, requestTimeoutMs: 900, maxConnections: 1_024 }
/** A request that did not arrive in time, whatever it is: a busy machine may be late with any. */
const requestTimeout = 408

/** Goes on until `isOver`, asked before each connection. */
export const fuzz = async (
  hub: TestHub,
  seed: number,
  isOver: (sent: number) => boolean
): Promise<FuzzResult> => {
  const server = await serverBeside(hub, limits)
  const random = makeRandom(seed)
  const statuses = new Map<number, number>()
  const faults: Array<string> = []
  const acknowledged = new Map<string, string>()
  const socketsBefore = openSockets()
  let sent = 0
  const work = async () => {
    while (!isOver(sent)) {
      sent += 1
      const attempt = attemptOf(random, sent)
      const answer = await send(server.port, attempt)
      const got = [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
      for (const status of got) statuses.set(status, (statuses.get(status) ?? 0) + 1)
      const wrong = got.filter((status) => status >= 500)
      if (wrong.length > 0) faults.push(`${wrong} for ${attempt.what}: ${answer.slice(0, 300)}`)
      const [first] = got
      if (first && first !== requestTimeout && attempt.expected && !attempt.expected.includes(first)) {
        faults.push(`${first} instead of ${attempt.expected} for ${attempt.what}`)
      }
      if (first === 201 && attempt.mark) acknowledged.set(attempt.mark.id, attempt.mark.payload)
    }
  }
  await Promise.all(Array.from({ length: width }, work))
  await until(() => server.open() === 0)
  await server.close()
  await until(() => openSockets() <= socketsBefore)

  const listed = new Map((await hub.listed()).map(({ id, payload }) => [id, payload]))
  for (const [id, payload] of acknowledged) {
    if (listed.get(id) !== payload) faults.push(`acknowledged and not kept as it was: ${id}`)
  }
  const health = (await hub.ask("/health")).json
  if (health.status !== "ok") faults.push(`health: ${JSON.stringify(health)}`)
  if ((await hub.publish(`after ${sent}`)).status !== 201) faults.push("the hub does not serve any more")
  return { sent, statuses, faults }
}

interface Attempt {
  readonly what: string
  readonly pieces: ReadonlyArray<Buffer>
  /** What the client does once all is sent. */
  readonly afterwards: "wait" | "half-close" | "go"
  /** What the first answer may be, if there is one. */
  readonly expected?: ReadonlyArray<number>
  /** What is kept if the first answer is 201. */
  readonly mark?: { readonly id: string; readonly payload: string }
}

const attemptOf = (random: Random, number: number): Attempt => {
  const kinds = [
    noise,
    mutation,
    wellFormed,
    malformedMark,
    malformedMark,
    cutShort,
    wrongLength,
    pipelined,
    oddRequest
  ]
  return random.pick(kinds)(random, number)
}

const noise = (random: Random): Attempt => ({
  what: "noise",
  pieces: inPieces(random, random.bytes(1 + random.below(2_000))),
  afterwards: random.pick(["wait", "half-close", "go"])
})

const mutation = (random: Random, number: number): Attempt => {
  const bytes = [...Buffer.from(validRequest(random, number).text)]
  for (let left = 1 + random.below(8); left > 0; left--) {
    const at = random.below(bytes.length)
    const drop = random.below(2)
    bytes.splice(at, drop, ...random.bytes(random.below(4)))
  }
  return {
    what: "a mutation",
    pieces: inPieces(random, Buffer.from(bytes)),
    afterwards: random.pick(["wait", "go"])
  }
}

const wellFormed = (random: Random, number: number): Attempt => {
  const { text, expected, mark } = validRequest(random, number)
  return {
    what: `a valid request ${text.slice(0, 60)}`,
    pieces: inPieces(random, Buffer.from(text)),
    afterwards: "wait",
    expected,
    ...(mark && { mark })
  }
}

/** A record that has one fault at least. */
const malformedMark = (random: Random): Attempt => {
  const bodies = [
    () => JSON.stringify(random.json(4)),
    () => "[".repeat(1 + random.below(100_000)),
    () => `${'{"a":'.repeat(200)}1${"}".repeat(200)}`,
    () => JSON.stringify({ id: "x", stanceTarget: "s", baseIntensity: random.json(2), decayRate: -1 }),
    () => JSON.stringify({ id: "x", stanceTarget: random.json(1), baseIntensity: 1, decayRate: "0" }),
    () =>
      `{"id":"x","stanceTarget":"s","baseIntensity":1e999,"decayRate":0,"x":"${"y".repeat(random.below(200_000))}"}`,
    () => random.bytes(1 + random.below(500))
  ]
  const body = Buffer.from(random.pick(bodies)())
  const [path, expected] = random.pick([
    ["/pheromones", [400]],
    ["/claims", [400]],
    ["/claims/next", [400]],
    ["/claims/a/fail", [400]]
  ] as const)
  const head = requestHead("POST", path, [`Content-Length: ${body.length}`])
  return {
    what: `a malformed body to ${path}: ${body.toString("latin1", 0, 60)}`,
    pieces: inPieces(random, Buffer.concat([Buffer.from(head), body])),
    afterwards: "wait",
    expected
  }
}

const cutShort = (random: Random, number: number): Attempt => {
  const bytes = Buffer.from(validRequest(random, number).text)
  return {
    what: "a request cut short",
    pieces: inPieces(random, bytes.subarray(0, random.below(bytes.length))),
    afterwards: random.pick(["wait", "half-close", "go"])
  }
}

const wrongLength = (random: Random): Attempt => {
  const body = '{"id":"wrong","stanceTarget":"s","baseIntensity":1,"decayRate":0}'
  const length = random.pick([
    "-1",
    "x",
    "1e3",
    "99999999999999999999",
    "",
    `${random.below(body.length)}`,
    "100"
  ])
  return {
    what: `a length of ${length}`,
    pieces: inPieces(
      random,
      Buffer.from(requestHead("POST", "/pheromones", [`Content-Length: ${length}`]) + body)
    ),
    afterwards: random.pick(["wait", "half-close"]),
    expected: [400]
  }
}

const pipelined = (random: Random, number: number): Attempt => {
  const { text, expected, mark } = validRequest(random, number, "keep-alive")
  return {
    what: `garbage behind ${text.slice(0, 60)}`,
    pieces: inPieces(random, Buffer.concat([Buffer.from(text), random.bytes(200), Buffer.from("\r\n\r\n")])),
    afterwards: "wait",
    expected,
    ...(mark && { mark })
  }
}

/** A request of good form with a method, path and headers that are odd. */
const oddRequest = (random: Random): Attempt => {
  const methods = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE", "CONNECT"]
  const paths = [
    "/pheromones",
    "/claims",
    "/journal",
    "/stream",
    "/health",
    "/hub/stopp",
    "/docs",
    "//",
    "*",
    "http://x/"
  ]
  const segment = () =>
    random.pick(["a", "%", "%2", "%ff", "%00", "..", "%2e%2e", "claim", "inflate", "%F0%9F%92%A9"])
  const path =
    random.pick(paths) +
    random.pick(["", `/${segment()}`, `/${segment()}/${segment()}`, `?${segment()}=${segment()}`])
  const headers = [
    `Idempotency-Key: ${"k".repeat(random.below(300))}`,
    `Last-Event-ID: ${random.pick(["0", "x", "999999999", "-1"])}`,
    `Mound-Journal-Id: ${segment()}`,
    `Expect: ${random.pick(["100-continue", "other"])}`,
    "Upgrade: websocket",
    "Accept: text/event-stream",
    `X: ${"x".repeat(random.below(20_000))}`
  ].filter(() => random.below(4) === 0)
  return {
    what: `an odd request for ${path}`,
    pieces: inPieces(random, Buffer.from(requestHead(random.pick(methods), path, headers))),
    afterwards: random.pick(["wait", "half-close", "go"])
  }
}

const requestHead = (
  method: string,
  path: string,
  headers: ReadonlyArray<string>,
  connection = "close"
): string =>
  [`${method} ${path} HTTP/1.1`, "Host: localhost", `Connection: ${connection}`, ...headers, "\r\n"].join(
    "\r\n"
  )

const validRequest = (
  random: Random,
  number: number,
  connection = "close"
): { readonly text: string; readonly expected: ReadonlyArray<number>; readonly mark?: Attempt["mark"] } => {
  const post = (path: string, body: unknown) => {
    const text = JSON.stringify(body)
    return requestHead("POST", path, [`Content-Length: ${Buffer.byteLength(text)}`], connection) + text
  }
  const known = encodeURIComponent(`mark ${random.below(number)}`)
  const mark = { id: `mark ${number}`, payload: random.text(40) }
  const record = { ...mark, stanceTarget: "s", baseIntensity: 1, decayRate: 0 }
  return random.pick([
    () => ({ text: post("/pheromones", record), expected: [201], mark }),
    () => ({ text: post("/claims", { record }), expected: [201], mark }),
    () => ({ text: post(`/pheromones/${known}/claim`, ""), expected: [200, 404, 409] }),
    () => ({ text: post(`/pheromones/${known}/inflate`, ""), expected: [200, 404] }),
    () => ({ text: post("/claims/next", { peer: "p", ttlMs: 1_000, waitMs: 20 }), expected: [200, 409] }),
    () => ({
      text: post(`/claims/${known}/renew`, { token: 1 + random.below(50) }),
      expected: [200, 403, 404]
    }),
    () => ({ text: requestHead("GET", `/claims/${known}`, [], connection), expected: [200, 404] }),
    () => ({ text: requestHead("GET", "/journal?limit=3", [], connection), expected: [200] }),
    () => ({ text: requestHead("GET", "/stream", [], connection), expected: [200] })
  ])()
}

/** Most often whole; else torn anywhere, also within a character. */
const inPieces = (random: Random, bytes: Buffer): ReadonlyArray<Buffer> => {
  const pieces: Array<Buffer> = []
  let from = 0
  for (let cuts = random.below(2) * random.below(6); cuts > 0 && from < bytes.length; cuts--) {
    const to = from + 1 + random.below(bytes.length - from)
    pieces.push(bytes.subarray(from, to))
    from = to
  }
  return [...pieces, bytes.subarray(from)]
}

/** What comes back until the server closes, or the client has seen enough. */
const send = (port: number, { pieces, afterwards }: Attempt): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true, allowHalfOpen: true })
    let said = ""
    const patience = setTimeout(() => socket.destroy(), patienceMs)
    socket.setEncoding("latin1")
    socket.on("data", (text) => {
      said += text
      if (said.includes("text/event-stream")) socket.destroy()
    })
    socket.on("end", () => socket.destroy())
    socket.on("error", () => {})
    socket.on("close", () => {
      clearTimeout(patience)
      resolve(said)
    })
    socket.on("connect", () => {
      for (const piece of pieces) socket.write(piece)
      if (afterwards === "half-close") socket.end()
      if (afterwards === "go") socket.write("", () => socket.destroy())
    })
  })

const openSockets = (): number =>
  process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length

/** Chance from a seed: the same again for the same seed (mulberry32). */
const makeRandom = (seed: number) => {
  let state = seed | 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (limit: number) => Math.floor(next() * limit)
  const pick = <A>(values: ReadonlyArray<A>): A => values[below(values.length)] as A
  const bytes = (length: number) => Buffer.from(Array.from({ length }, () => below(256)))
  const text = (length: number) =>
    Array.from({ length: below(length) }, () =>
      pick(["a", '"', "\\", "ä", "€", "𝔘", "\u0000", "\n", "{"])
    ).join("")
  /** A value that is no valid record or command. */
  const json = (depth: number): unknown => {
    const leaves = [null, true, 0, -1, 1.5, 1e300, "", text(10)]
    if (depth === 0 || below(3) === 0) return pick(leaves)
    const inner = Array.from({ length: below(4) }, () => json(depth - 1))
    return below(2) === 0
      ? inner
      : Object.fromEntries(inner.map((value, index) => [`${text(4)}${index}`, value]))
  }
  return { below, pick, bytes, text, json }
}
type Random = ReturnType<typeof makeRandom>
