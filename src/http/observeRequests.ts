/** Every request as a number and, where somebody listens, as a span: by its route, never by what was asked of it. */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Effect } from "effect"
import type { Tracing } from "./Tracing.js"

/** Told of each answer when it has ended; a status of 0 is one that its client did not wait for. */
export type Answered = (route: string, status: number, tookSeconds: number) => void

/** A method that is none of these is anybody's word, and would be a label of its own. */
const methods: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])

export const observeRequests =
  (answered: Answered, tracing: Tracing) =>
  (
    request: IncomingMessage,
    response: ServerResponse,
    route: string,
    work: Effect.Effect<void>
  ): Effect.Effect<void> => {
    const startedAt = performance.now()
    response.once("close", () =>
      answered(route, response.statusCode, (performance.now() - startedAt) / 1_000)
    )
    const method = methods.has(request.method ?? "") ? (request.method as string) : "_OTHER"
    const parent = request.headers.traceparent
    return tracing.span(`${method} ${route}`, work, {
      kind: "server",
      attributes: { "http.request.method": method, "http.route": route },
      outcome: () => ({ "http.response.status_code": response.statusCode }),
      parent: typeof parent === "string" ? parent : undefined
    })
  }
