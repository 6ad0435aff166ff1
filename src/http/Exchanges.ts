/**
 * The requests under way, by the connection that they came on. Alone responsible for doing those of one connection one after the
 * other, for ending the work of a client that has gone or whose token was taken back, and for telling a connection that speaks no
 * HTTP so, in its turn: a command that was carried out is never answered with that.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import { type Effect, type Fiber, FiberId } from "effect"
import { discardBody, lingerMs, sendFailure } from "./respond.js"

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly work: Effect.Effect<void>
  /** It came with a token of somebody. */
  readonly isKnown: boolean
  /** Set once its turn has come. */
  fiber?: Fiber.RuntimeFiber<void>
}

export class Exchanges {
  readonly #connections = new Map<Duplex, Set<Exchange>>()
  readonly #refused = new WeakSet<Duplex>()
  #count = 0

  constructor(private readonly fork: (work: Effect.Effect<void>) => Fiber.RuntimeFiber<void>) {}

  get count(): number {
    return this.#count
  }

  /**
   * Does the work of a request, after that of the ones before it on its connection: a claim that is sent behind a publication is of
   * the mark that it publishes (RFC 9112 section 9.3.2). It ends with its response, or with its connection.
   */
  begin(
    request: IncomingMessage,
    response: ServerResponse,
    work: Effect.Effect<void>,
    isKnown: boolean
  ): void {
    const { socket } = request
    const exchanges = this.#connections.get(socket) ?? this.#connect(socket)
    const exchange: Exchange = { request, response, work, isKnown }
    exchanges.add(exchange)
    this.#count += 1
    response.once("close", () => this.#end(exchanges, exchange))
    if (exchanges.size === 1) this.#start(exchange)
  }

  /** Ends what came with a token that is nobody's any more: followers, lists, and whoever waits for something to become possible. */
  endRevoked(isStillKnown: (request: IncomingMessage) => boolean): void {
    for (const exchanges of this.#connections.values()) {
      for (const exchange of exchanges) {
        if (exchange.isKnown && !isStillKnown(exchange.request)) endRevoked(exchange)
      }
    }
  }

  /** Answers what is no HTTP at all with a status and the end of the connection; nothing of it reaches a handler. */
  refuse(error: Error & { readonly code?: string }, socket: Duplex): void {
    if (this.#refused.has(socket)) return
    this.#refused.add(socket)
    const before = [...(this.#connections.get(socket) ?? [])].filter(({ request }) => request.complete)
    const last = before.at(-1)
    if (!last) return endMalformed(error, socket)
    // Its words would be read as part of an answer that is half-way out.
    if (before.some(({ response }) => response.headersSent && !response.writableEnded)) {
      socket.destroy()
      return
    }
    last.response.once("close", () => endMalformed(error, socket))
  }

  #connect(socket: Duplex): Set<Exchange> {
    const exchanges = new Set<Exchange>()
    this.#connections.set(socket, exchanges)
    socket.once("close", () => {
      this.#connections.delete(socket)
      // Of pipelined requests some never get a response that could be closed.
      const open = [...exchanges]
      exchanges.clear()
      this.#count -= open.length
      for (const exchange of open) interrupt(exchange)
    })
    return exchanges
  }

  #start(exchange: Exchange): void {
    exchange.fiber = this.fork(exchange.work)
  }

  #end(exchanges: Set<Exchange>, exchange: Exchange): void {
    if (!exchanges.delete(exchange)) return
    this.#count -= 1
    interrupt(exchange)
    const [next] = exchanges
    if (next && !next.fiber) this.#start(next)
  }
}

const interrupt = ({ fiber }: Exchange): void => {
  if (fiber?.unsafePoll() === null) fiber.unsafeInterruptAsFork(FiberId.none)
}

const endRevoked = (exchange: Exchange): void => {
  const { request, response } = exchange
  interrupt(exchange)
  if (response.headersSent) response.end()
  else {
    discardBody(request, response)
    sendFailure(response, { _tag: "NotAllowed", need: "token" }, 403)
  }
  // One that reads nothing would not let its connection end.
  setTimeout(() => response.destroy(), lingerMs).unref()
}

const endMalformed = (error: Error & { readonly code?: string }, socket: Duplex): void => {
  if (!socket.writable) return void socket.destroy()
  const status = malformed[error.code ?? ""] ?? "400 Bad Request"
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  setTimeout(() => socket.destroy(), lingerMs).unref()
}

const malformed: { readonly [code: string]: string } = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout"
}
