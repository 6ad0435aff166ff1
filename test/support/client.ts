/** A hub's HTTP for tests: any path, any body, and what came back. */
import { Effect } from "effect"

export interface Answer {
  readonly status: number
  /** The parsed body, or its text. */
  readonly body: unknown
}

export interface Client {
  readonly get: (path: string, headers?: Record<string, string>) => Effect.Effect<Answer>
  readonly post: (path: string, body?: unknown, headers?: Record<string, string>) => Effect.Effect<Answer>
}

export const clientOf = (url: string): Client => {
  const ask = (path: string, init: RequestInit): Effect.Effect<Answer> =>
    Effect.promise(async () => {
      const response = await fetch(`${url}${path}`, init)
      const text = await response.text()
      const isJson = response.headers.get("content-type")?.startsWith("application/json")
      return { status: response.status, body: isJson ? JSON.parse(text) : text }
    })
  return {
    get: (path, headers = {}) => ask(path, { headers }),
    post: (path, body = {}, headers = {}) =>
      ask(path, {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json", ...headers }
      })
  }
}
