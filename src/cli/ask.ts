/** One request to the hub, and what a verb prints of its answer. */
import { Effect, Option } from "effect"
import { type Client, type ConnectionOptions, connect, explainFailure } from "./Client.js"
import { print } from "./output.js"

/** Runs one request and prints its answer: whole with `--json`, else what `show` makes of it. */
export const ask = <A, E>(
  options: ConnectionOptions & { readonly json: boolean },
  request: (client: Client) => Effect.Effect<A, E>,
  show: (answer: A) => string
) =>
  Effect.gen(function* () {
    const client = yield* connect(options)
    const answer = yield* request(client)
    yield* print(options.json ? JSON.stringify(answer) : show(answer))
    return answer
  }).pipe(Effect.mapError(explainFailure))

/** A field of a body, left out when its option was. */
export const given = <Name extends string, A>(
  name: Name,
  value: Option.Option<A>
): { readonly [Field in Name]?: A } =>
  (Option.isSome(value) ? { [name]: value.value } : {}) as { readonly [Field in Name]?: A }
