/**
 * One keep-alive HTTP connection, one request at a time. On a bare socket: Node's own client costs as much a request as a server does,
 * and would be what is measured.
 */
import { connect, type Socket } from "node:net"

export class Connection {
  readonly #socket: Socket
  #received = ""
  #waiting:
    | { readonly resolve: (status: number) => void; readonly reject: (error: Error) => void }
    | undefined

  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: "127.0.0.1", port, noDelay: true })
      socket.once("connect", () => resolve(new Connection(socket)))
      socket.once("error", reject)
    })
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on("data", (bytes) => this.#take(bytes.toString("latin1")))
    socket.on("error", (error) => this.#waiting?.reject(error))
    socket.on("close", () => this.#waiting?.reject(new Error("the server closed the connection")))
  }

  /** Sends a request and waits for the whole answer; its status. */
  post(path: string, body: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      this.#socket.write(
        `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
      )
    })
  }

  close(): void {
    this.#waiting = undefined
    this.#socket.destroy()
  }

  #take(text: string): void {
    this.#received += text
    if (!isWhole(this.#received)) return
    const status = Number(this.#received.slice("HTTP/1.1 ".length, "HTTP/1.1 200".length))
    const waiting = this.#waiting
    this.#received = ""
    this.#waiting = undefined
    waiting?.resolve(status)
  }
}

const lengthHeader = /\r\ncontent-length: *(\d+)/i

/** Whether an answer has come to its end, by its length or by its last chunk. */
const isWhole = (answer: string): boolean => {
  const headersEnd = answer.indexOf("\r\n\r\n")
  if (headersEnd < 0) return false
  const length = lengthHeader.exec(answer.slice(0, headersEnd + 2))?.[1]
  return length === undefined
    ? answer.endsWith("\r\n0\r\n\r\n")
    : answer.length >= headersEnd + 4 + Number(length)
}
