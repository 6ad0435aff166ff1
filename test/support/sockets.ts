/** Raw connections, for what no client library would send. */
import { connect, type Socket } from "node:net"

export interface RawOptions {
  /** Ends our half once everything is sent, as `nc -N` does. */
  readonly halfClose?: boolean
}

/** Sends pieces, each in a segment of its own, and gives all that comes back until the server closes the connection. */
export const sendRaw = (
  port: number,
  pieces: ReadonlyArray<string | Uint8Array>,
  { halfClose = false }: RawOptions = {}
): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true, allowHalfOpen: true })
    const chunks: Array<Buffer> = []
    const done = () => {
      socket.destroy()
      resolve(Buffer.concat(chunks).toString("latin1"))
    }
    socket.on("data", (chunk) => chunks.push(chunk))
    socket.on("end", done)
    socket.on("close", done)
    // A server may close while we still send; what it said before counts.
    socket.on("error", () => {})
    socket.on("connect", () => {
      const [last, ...others] = [...pieces].reverse()
      for (const piece of others.reverse()) socket.write(piece)
      if (halfClose) socket.end(last ?? "")
      else if (last !== undefined) socket.write(last)
    })
  })

/** A connection that is open. */
export const openSocket = (port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true }, () => resolve(socket))
    socket.once("error", reject)
    socket.on("error", () => {})
  })

/** Waits until something holds: looks again after every turn of the event loop, and for as long as the test may take. */
export const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5))
}
