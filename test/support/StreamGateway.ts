/**
 * Lets the public suite of Durable Streams make its streams, which journal streams do not offer: a PUT or POST becomes a real event in a
 * stream of the hub's own, a mark that is deposited (again); to close one takes a run, the kind of stream that ends, and lets it end.
 * Every GET, HEAD and OPTIONS goes to the hub, and its answer comes back, byte for byte: what the suite reads is the hub's alone.
 */
import {
  createServer,
  type IncomingMessage,
  request as open,
  type Server,
  type ServerResponse
} from "node:http"
import type { AddressInfo } from "node:net"

const prefix = "/v1/stream/"

/** Files of a workspace whose hub stands behind a gateway. */
export const gatewayWorkspace = {
  "mound.yaml": "streams:\n  enabled: true\n  long_poll: 500ms\nworkflows:\n  ending: {}\n",
  "workflows/ending/index.mjs":
    'export default { roles: { nobody: () => ({ content: "" }) }, moderator: () => "__end__" }\n'
}

export class StreamGateway {
  /** The hub's streams by the names that the suite gives its own, with the content type that it asked for. */
  readonly #streams = new Map<string, { stream: string; readonly contentType: string }>()
  readonly #server: Server
  #made = 0

  private constructor(private readonly hub: URL) {
    this.#server = createServer((request, response) => this.#answer(request, response))
  }

  static async start(hubUrl: string): Promise<StreamGateway> {
    const gateway = new StreamGateway(new URL(hubUrl))
    await new Promise<void>((resolve) => gateway.#server.listen(0, "127.0.0.1", resolve))
    return gateway
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, search } = new URL(request.url ?? "", this.url)
    const name = pathname.slice(prefix.length)
    if (request.method === "PUT" || request.method === "POST") {
      this.#write(name, request, response).catch((error) => response.writeHead(500).end(String(error)))
      return
    }
    const stream = this.#streams.get(name)?.stream ?? `claim/none-${name}`
    this.#pass(request, response, `${prefix}${encodeURIComponent(stream)}${search}`)
  }

  #pass(request: IncomingMessage, response: ServerResponse, path: string): void {
    const { hostname: host, port } = this.hub
    const { host: _, ...headers } = request.headers
    const passed = open({ host, port, path, method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
      answer.pipe(response)
      answer.on("error", () => response.destroy())
    })
    passed.on("error", () => response.destroy())
    response.on("close", () => passed.destroy())
    request.pipe(passed)
  }

  /** Only as much of the writing side as the reading cases need. */
  async #write(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Array<Buffer> = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString()
    const isNew = request.method === "PUT" && !this.#streams.has(name)
    if (isNew) {
      this.#made += 1
      const contentType = request.headers["content-type"] ?? "application/octet-stream"
      this.#streams.set(name, { stream: `claim/suite-${this.#made}`, contentType })
    }
    const own = this.#streams.get(name)
    if (!own) return void response.writeHead(404).end()
    const isClosing = request.headers["stream-closed"] === "true"
    if (isClosing) own.stream = await this.#endedRun()
    const offset = isClosing ? await this.#tailOf(own.stream) : await this.#deposit(own.stream, body)
    response.writeHead(request.method === "POST" ? 204 : isNew ? 201 : 200, {
      Location: `${this.url}${prefix}${name}`,
      "Content-Type": own.contentType,
      "Stream-Next-Offset": `${"0".repeat(16)}_${String(offset).padStart(16, "0")}`
    })
    response.end()
  }

  /** A workflow that ends at once must be there: `endingWorkflow`. */
  async #endedRun(): Promise<string> {
    const requested = await fetch(new URL("/workflows/ending/runs", this.hub), {
      method: "POST",
      body: '{"prompt":"end"}'
    })
    const { runId } = (await requested.json()) as { readonly runId?: string }
    if (runId === undefined) throw new Error(`the hub did not take a run: ${requested.status}`)
    await fetch(new URL(`/workflow_runs/${runId}?wait=10000`, this.hub))
    return `run/${runId}`
  }

  async #tailOf(stream: string): Promise<number> {
    const url = new URL(`${prefix}${encodeURIComponent(stream)}`, this.hub)
    const { headers } = await fetch(url, { method: "HEAD" })
    return Number(headers.get("stream-next-offset")?.split("_")[1])
  }

  async #deposit(stream: string, payload: string): Promise<number> {
    const id = stream.slice("claim/".length)
    const record = { id, stanceTarget: "suite", baseIntensity: 1, decayRate: 0, payload }
    const response = await fetch(new URL("/claims", this.hub), {
      method: "POST",
      body: JSON.stringify({ record })
    })
    const { offset } = (await response.json()) as { readonly offset?: number }
    if (offset === undefined) throw new Error(`the hub did not take a mark: ${response.status}`)
    return offset
  }
}
