/** What can be asked of a server's entry (contracts: streams 2, 4). The limits are those of the entry's wire shape. */
import { Schema } from "effect"
import { Offset } from "../../events/Event.js"

const maxUrlBytes = 2_048
const maxMetadataBytes = 16 * 1024

export const ServerId = Schema.String.pipe(
  Schema.pattern(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/, {
    message: () => "must be 1 to 128 of A-Za-z0-9._:-, beginning with a letter or a digit"
  })
)

const Url = Schema.String.pipe(
  Schema.filter((text) => Buffer.byteLength(text) <= maxUrlBytes && isHttpUrl(text), {
    message: () => "must be an absolute http or https URL of at most 2048 bytes"
  })
)

const isHttpUrl = (text: string): boolean => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return url?.protocol === "http:" || url?.protocol === "https:"
}

const integer = (most: number) =>
  Schema.Int.pipe(
    Schema.between(0, most, { message: () => `must be an integer from 0 to ${most}` })
  ).annotations({
    message: () => ({ message: `must be an integer from 0 to ${most}`, override: true })
  })

const Metadata = Schema.Record({ key: Schema.String, value: Schema.Unknown }).pipe(
  Schema.filter((value) => Buffer.byteLength(JSON.stringify(value)) <= maxMetadataBytes, {
    message: () => "must be at most 16 KiB of JSON"
  })
)

const entry = {
  url: Url,
  port: integer(65_535),
  pid: integer(2 ** 31 - 1),
  metadata: Schema.optional(Metadata)
}

/** The body of a registration. `lastHeartbeat` is what old clients send: it may be there and means nothing. */
export const ServerRegistration = Schema.Struct({
  id: ServerId,
  ...entry,
  lastHeartbeat: Schema.optional(Schema.Number)
})

const token = { token: Schema.optional(Offset) }
const command = <Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), ...fields })

export const ServerCommand = Schema.Union(
  command("RegisterServer", entry),
  command("HeartbeatServer", token),
  command("UnregisterServer", { ...token, reason: Schema.optional(Schema.Literal("request", "shutdown")) }),
  /** From the invocation that watches: it is checked again on arrival. */
  command("DeclareServerStale", {})
)
export type ServerCommand = typeof ServerCommand.Type
