/** Requests to routes that are not in the typed protocol: bytes, streams, servers. */
import { Effect } from "effect"
import { type ConnectionOptions, fetchOf, findHub, type Target } from "./Client.js"
import { CliFailure, failed, toCliFailure } from "./CliFailure.js"

export interface Answered {
  readonly headers: Headers
  readonly bytes: Buffer
}

/** One request to the hub that the options name; a refusal is told as by any other verb. */
export const request = (
  options: ConnectionOptions,
  path: string,
  init: RequestInit = {}
): Effect.Effect<Answered, CliFailure> =>
  Effect.flatMap(Effect.mapError(findHub(options), toCliFailure), (hub) => requestTo(hub, path, init))

const requestTo = (hub: Target, path: string, init: RequestInit): Effect.Effect<Answered, CliFailure> =>
  Effect.gen(function* () {
    const { url, token } = hub
    const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` }
    const unanswered = () => failed("HubNotRunning", "the hub does not answer", "start it: mound start")
    const { response, bytes } = yield* Effect.tryPromise({
      try: async (signal) => {
        const response = await fetchOf(hub)(`${url}${path}`, { signal, ...init, headers })
        return { response, bytes: Buffer.from(await response.arrayBuffer()) }
      },
      catch: unanswered
    })
    if (response.ok) return { headers: response.headers, bytes }
    return yield* refusalOf(response.status, bytes.toString())
  })

/** The old routes name what is wrong in `error` and have no tag. */
const refusalOf = (status: number, text: string): CliFailure => {
  const { _tag, error, message, fix, ...fields } = fieldsOf(text)
  const tag = _tag ?? (error?.includes(" ") ? "DurableStreamsDisabled" : error) ?? "Refused"
  return new CliFailure({ tag, message: message ?? `the hub answered ${status}`, fix, fields, exitCode: 1 })
}

interface Refusal {
  readonly _tag?: string
  readonly error?: string
  readonly message?: string
  readonly fix?: string
}

const fieldsOf = (text: string): Refusal => {
  try {
    return JSON.parse(text) as Refusal
  } catch {
    return { message: text }
  }
}
