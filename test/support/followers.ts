/** A client of server-sent events that shows every frame to the byte, and can be cut off at any moment. */
import { type ClientRequest, type IncomingMessage, request } from "node:http"

export interface Frame {
  /** As it came, without the blank line that ends it. */
  readonly text: string
  readonly id: string | undefined
  readonly event: string | undefined
  readonly data: string | undefined
}

export class Follower {
  readonly #frames: Array<Frame> = []
  #rest = ""
  #wake: (() => void) | undefined
  #ended = false

  private constructor(
    private readonly sent: ClientRequest,
    readonly response: IncomingMessage
  ) {
    response.setEncoding("utf8")
    response.on("data", (text: string) => {
      const frames = (this.#rest + text).split("\n\n")
      this.#rest = frames.pop() as string
      this.#frames.push(...frames.map(toFrame))
      this.#wake?.()
    })
    const onEnd = () => {
      this.#ended = true
      this.#wake?.()
    }
    response.on("end", onEnd)
    response.on("error", onEnd)
    sent.on("error", onEnd)
  }

  /** Completes when the server has answered 200; fails with its words otherwise. */
  static open(port: number, path: string, headers: { readonly [name: string]: string } = {}) {
    return new Promise<Follower>((resolve, reject) => {
      const sent = request({ host: "127.0.0.1", port, path, headers, agent: false }, (response) => {
        if (response.statusCode === 200) return resolve(new Follower(sent, response))
        response.setEncoding("utf8")
        response.on("data", (text: string) => reject(new Error(`${response.statusCode} ${text}`)))
      })
      sent.on("error", reject)
      sent.end()
    })
  }

  /** The next frame. Fails when the server ends the stream first. */
  async next(): Promise<Frame> {
    while (this.#frames.length === 0) {
      if (this.#ended) throw new Error("the stream has ended")
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.#frames.shift() as Frame
  }

  async take(count: number): Promise<ReadonlyArray<Frame>> {
    const frames: Array<Frame> = []
    while (frames.length < count) frames.push(await this.next())
    return frames
  }

  /** Completes when the server has ended the stream. */
  async ended(): Promise<void> {
    while (!this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Goes away without a word. */
  cut(): void {
    this.sent.destroy()
  }
}

const toFrame = (text: string): Frame => {
  const field = (name: string) =>
    text
      .split("\n")
      .find((line) => line.startsWith(`${name}: `))
      ?.slice(name.length + 2)
  return { text, id: field("id"), event: field("event"), data: field("data") }
}
