/** One request to a hub from this machine: over its socket if it has one, else at its url. */
import { existsSync } from "node:fs"
import { request as httpRequest } from "node:http"
import { Effect, Schema } from "effect"

/** Nobody answered in time, or not with JSON. */
export class NoAnswer extends Schema.TaggedError<NoAnswer>()("NoAnswer", {
  url: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `no answer from ${this.url}: ${this.problem}`
  }
}

/** Where a hub is asked, and with which token if it wants one. */
export interface HubAddress {
  readonly url: string
  readonly socket: string | null
  readonly token: string | undefined
}

export interface Question {
  readonly method: "GET" | "POST"
  readonly path: `/${string}`
  readonly body?: unknown
  readonly timeoutMs: number
}

/** The answer of the hub, whatever its status. */
export interface HubAnswer {
  readonly status: number
  readonly body: unknown
}

/** The socket that a hub has told of, if it is still there: somebody may have removed it, and the url serves as well. */
export const openableSocket = (socket: string | null): string | null =>
  socket !== null && existsSync(socket) ? socket : null

export const askHub = (
  { url, socket, token }: HubAddress,
  { method, path, body, timeoutMs }: Question
): Effect.Effect<HubAnswer, NoAnswer> => {
  const socketPath = openableSocket(socket)
  const noAnswer = (problem: string) => new NoAnswer({ url: `${url}${path}`, problem })
  return Effect.async<HubAnswer, NoAnswer>((resume) => {
    const asked = httpRequest(`${url}${path}`, {
      method,
      ...(socketPath !== null && { socketPath }),
      ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } })
    })
    const fail = (error: Error) => resume(noAnswer(error.message))
    asked.on("response", (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (chunk: string) => {
        text += chunk
      })
      response.on("error", fail)
      response.on("end", () =>
        resume(
          Effect.try({
            try: () => ({ status: response.statusCode ?? 0, body: JSON.parse(text) as unknown }),
            catch: () => noAnswer("it is not JSON")
          })
        )
      )
    })
    asked.on("error", fail)
    asked.end(body === undefined ? undefined : JSON.stringify(body))
    return Effect.sync(() => asked.destroy())
  }).pipe(
    Effect.timeoutFail({ duration: timeoutMs, onTimeout: () => noAnswer(`none within ${timeoutMs} ms`) })
  )
}
