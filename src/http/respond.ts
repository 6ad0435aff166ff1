/** Writes answers to Node's response directly: the routes are hot, and an answer is a status, a few headers and a text. */
import type { IncomingMessage, ServerResponse } from "node:http"
import { type AnyReason, retryAfter, statusOf, toFailure } from "./refusals.js"

type Headers = { readonly [name: string]: string | number }

/** How long a client may go on sending a body that was refused before its connection is cut, ms. */
export const lingerMs = 1_000

export const sendText = (
  response: ServerResponse,
  status: number,
  text: string,
  headers: Headers = {}
): void => {
  response.writeHead(status, {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": Buffer.byteLength(text),
    ...headers
  })
  response.end(text)
}

export const sendJson = (
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Headers = {}
): void => {
  const text = JSON.stringify(value)
  response.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(text),
    ...headers
  })
  response.end(text)
}

export const sendFailure = (response: ServerResponse, reason: AnyReason, status = statusOf(reason)): void => {
  sendJson(response, status, toFailure(reason), retryHeader(reason))
}

export const retryHeader = (reason: AnyReason): Headers => {
  const seconds = retryAfter(reason)
  return seconds === undefined ? {} : { "Retry-After": seconds }
}

/** For an answer that is given before the body was read: the rest is thrown away, and after a moment the connection is. */
export const discardBody = (request: IncomingMessage, response: ServerResponse): void => {
  const { "content-length": length, "transfer-encoding": encoding } = request.headers
  if (request.complete || (encoding === undefined && Number(length ?? 0) === 0)) return
  response.setHeader("Connection", "close")
  request.resume()
  response.once("finish", () => {
    setTimeout(() => request.destroy(), lingerMs).unref()
  })
}
