/** What every verb that is one request to the hub has in common: its options, its body, its answer. */
import { readFileSync } from "node:fs"
import { Effect, Option } from "effect"
import { type Client, type ConnectionOptions, connect, connection, explainFailure } from "./Client.js"
import { type CliFailure, usage } from "./CliFailure.js"
import { json } from "./common.js"
import { print } from "./output.js"

/** Options of every such verb. */
export const asking = { ...connection, json }
export type AskingOptions = ConnectionOptions & { readonly json: boolean }

/**
 * Makes the body, sends the request and prints its answer: whole with `--json`, else what `show` makes of it. The body comes first, so
 * that a mistake in the options is told as one whether a hub runs or not.
 */
export const ask = <Body, Answer, E>(
  options: AskingOptions,
  body: Effect.Effect<Body, CliFailure> | Body,
  request: (client: Client, body: Body) => Effect.Effect<Answer, E>,
  show: (answer: Answer) => string
): Effect.Effect<void, CliFailure> =>
  Effect.gen(function* () {
    const made = Effect.isEffect(body) ? yield* body as Effect.Effect<Body, CliFailure> : body
    const client = yield* connect(options)
    const answer = yield* request(client, made)
    yield* print(options.json ? JSON.stringify(answer) : show(answer))
  }).pipe(Effect.mapError(explainFailure))

type Value<Field> = Field extends Option.Option<infer A> ? A : Exclude<Field, undefined>
type IsOptional<Field> = Field extends Option.Option<unknown> ? true : undefined extends Field ? true : false

/** Fields as an API takes them: those that were not given are left out. */
export type Given<Fields> = {
  readonly [Name in keyof Fields as IsOptional<Fields[Name]> extends true ? never : Name]: Value<Fields[Name]>
} & {
  readonly [Name in keyof Fields as IsOptional<Fields[Name]> extends true ? Name : never]?: Value<
    Fields[Name]
  >
}

/** A body from options, without those that were left out. */
export const given = <Fields extends { readonly [name: string]: unknown }>(fields: Fields): Given<Fields> =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([name, field]) => {
      const value = Option.isOption(field) ? Option.getOrUndefined(field) : field
      return value === undefined ? [] : [[name, value]]
    })
  ) as Given<Fields>

/** JSON from the command line, or with `@` from a file. */
export const jsonOf = (
  name: string,
  text: Option.Option<string>
): Effect.Effect<Option.Option<unknown>, CliFailure> =>
  Effect.try({
    try: () =>
      Option.map(text, (value) =>
        JSON.parse(value.startsWith("@") ? readFileSync(value.slice(1), "utf8") : value)
      ),
    catch: (error) => usage(`--${name}: ${error instanceof Error ? error.message : error}`)
  })
