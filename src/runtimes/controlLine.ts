/** What a session says to the hub on its standard output: lines that begin with `{"mound":` (contracts: peers 4). All may come twice. */
import { Option, Schema } from "effect"
import { MessageId, maxBody, Topic } from "../actors/presence/PresenceCommand.js"

const Mound = <Word extends string>(word: Word) => ({ mound: Schema.Literal(word) })

export const ControlLine = Schema.Union(
  Schema.Struct(Mound("ready")),
  Schema.Struct({ ...Mound("ack"), messageId: MessageId }),
  Schema.Struct(Mound("activity")),
  Schema.Struct(Mound("done")),
  Schema.Struct(Mound("compacted")),
  Schema.Struct({
    ...Mound("send"),
    messageId: MessageId,
    to: Schema.String,
    body: Schema.String.pipe(Schema.minLength(1), Schema.maxLength(maxBody)),
    topic: Schema.optional(Topic),
    replyTo: Schema.optional(MessageId)
  })
)
export type ControlLine = typeof ControlLine.Type

const start = '{"mound":'
const decode = Schema.decodeUnknownOption(ControlLine)

/** Undefined for a line that is plain output, or a malformed one. */
export const parseControlLine = (text: string): ControlLine | undefined => {
  if (!text.startsWith(start)) return undefined
  try {
    return Option.getOrUndefined(decode(JSON.parse(text)))
  } catch {
    return undefined
  }
}
