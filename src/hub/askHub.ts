/** One request to a hub that `hub.json` names: over its socket if it has one, else at its url with the token of its state folder. */
import { readFileSync } from "node:fs"
import { request as httpRequest } from "node:http"
import { join } from "node:path"
import { Effect, Schema } from "effect"
import type { HubFile } from "./hubFile.js"

/** Nobody answered in time, or not with JSON. */
export class NoAnswer extends Schema.TaggedError<NoAnswer>()("NoAnswer", {
  url: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `no answer from ${this.url}: ${this.problem}`
  }
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

export const askHub = (
  stateDir: string,
  { url, socket }: HubFile,
  { method, path, body, timeoutMs }: Question
): Effect.Effect<HubAnswer, NoAnswer> => {
  const noAnswer = (problem: string) => new NoAnswer({ url: `${url}${path}`, problem })
  return Effect.async<HubAnswer, NoAnswer>((resume) => {
    const token = tokenIn(stateDir)
    const asked = httpRequest(`${url}${path}`, {
      method,
      ...(socket !== null && { socketPath: socket }),
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

/** The token that the hub of this state folder asks for, if it has made one. */
export const tokenIn = (stateDir: string): string | undefined => {
  try {
    return readFileSync(join(stateDir, "token"), "utf8").trim()
  } catch {
    return undefined
  }
}
