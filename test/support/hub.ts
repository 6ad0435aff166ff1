/** A hub in the test's own process: a real store in a folder of its own, a real port that the system chooses, and a client of it. */
import { Agent, type IncomingHttpHeaders, request } from "node:http"
import { Effect, Exit, Scope } from "effect"
import { type LoadSettings, loadSettings } from "../../src/config/Settings.js"
import type { HttpLimits } from "../../src/http/HttpServer.js"
import type { RateRules } from "../../src/http/RateLimits.js"
import * as inlineWriter from "../../src/hub/inlineWriter.js"
import { makeHubServer } from "../../src/hub/serveHttp.js"
import { type HubHandle, type StartOptions, startHub } from "../../src/hub/startHub.js"
import { temporaryFolder } from "./stores.js"

export interface HubOptions extends Pick<StartOptions, "writer" | "onBound" | "takeBackup"> {
  /** By key, as text: `{ "ledger.preclaim": "true" }`. */
  readonly settings?: LoadSettings["flags"]
  readonly environment?: LoadSettings["environment"]
  /** The workspace; by default a new folder that goes with the scope. */
  readonly folder?: string
}

export interface Asked {
  /** POST when there is a body, else GET. */
  readonly method?: string
  /** Bytes or text are sent as they are, anything else as JSON. */
  readonly body?: unknown
  readonly headers?: { readonly [name: string]: string }
  /** Goes away when it aborts. */
  readonly signal?: AbortSignal | undefined
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The body as a JSON object; fails the test when it is none. */
  readonly json: Fields
}

export type Fields = { readonly [name: string]: unknown }

export interface TestHub extends HubHandle {
  readonly folder: string
  readonly ask: (path: string, asked?: Asked) => Promise<Answer>
  /** Publishes a mark over the old route. */
  readonly publish: (id: string, more?: object) => Promise<Answer>
  /** The list of the old route. */
  readonly listed: () => Promise<ReadonlyArray<Fields>>
  /** Offset of the newest event. */
  readonly head: () => Promise<number>
  /** Ends this hub as a process would that is told to stop; another can be started on its folder. */
  readonly end: () => Promise<void>
}

/** A hub that is ready. It ends with the scope, or before. */
export const startedHub = ({
  settings = {},
  environment = {},
  folder,
  writer = inlineWriter.layer,
  ...options
}: HubOptions = {}): Effect.Effect<TestHub, never, Scope.Scope> =>
  Effect.gen(function* () {
    const workspace = folder ?? (yield* temporaryFolder)
    const loaded = yield* loadSettings({ workspace, environment, flags: { "http.port": "0", ...settings } })
    const scope = yield* Effect.acquireRelease(Scope.make(), (own) => Scope.close(own, Exit.void))
    const hub = yield* Scope.extend(startHub(loaded.settings, "test", { writer, ...options }), scope)
    const agent = new Agent({ keepAlive: true })
    yield* Effect.addFinalizer(() => Effect.sync(() => agent.destroy()))
    const ask = (path: string, asked: Asked = {}) => askAt(hub.port, path, asked, agent)
    const started: TestHub = {
      ...hub,
      folder: workspace,
      ask,
      publish: (id, more = {}) =>
        ask("/pheromones", { body: { id, stanceTarget: "any", baseIntensity: 1, decayRate: 0, ...more } }),
      listed: async () => JSON.parse((await ask("/pheromones")).text),
      head: async () => (await ask("/journal?limit=1")).json.head as number,
      end: async () => {
        agent.destroy()
        await Effect.runPromise(
          Effect.zipRight(hub.stop({ force: true, reason: "test" }), hub.stopped).pipe(
            Effect.zipRight(Scope.close(scope, Exit.void))
          )
        )
      }
    }
    return started
  }).pipe(Effect.orDie)

/** Another HTTP server of the same hub, whose requests can be counted and whose limits can be small. */
export const serverBeside = async (hub: TestHub, limits?: HttpLimits, rates?: RateRules) => {
  const options = { ...(limits && { limits }), ...(rates && { rates }) }
  const server = await Effect.runPromise(makeHubServer(hub.parts, options))
  const port = await Effect.runPromise(server.listen("127.0.0.1", 0))
  return { port, open: server.open, close: () => Effect.runPromise(server.close) }
}

/** One request to this machine's own address, whatever its headers claim. */
export const askAt = (
  port: number,
  path: string,
  { body, method = body === undefined ? "GET" : "POST", headers = {}, signal }: Asked = {},
  agent?: Agent
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const sent = request(
      { host: "127.0.0.1", port, path, method, headers, agent: agent ?? false, signal },
      (response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("error", reject)
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString()
          const { statusCode: status = 0, headers } = response
          resolve({
            status,
            headers,
            text,
            get json() {
              return JSON.parse(text)
            }
          })
        })
      }
    )
    sent.on("error", reject)
    if (body === undefined) sent.end()
    else sent.end(typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body))
  })
