/**
 * A message as routers and terminals read it: an `<iap>` element (contracts: peers 2). Its attributes stand in one order, its content
 * always in CDATA, and what is absent is left out.
 */

export interface Envelope {
  readonly from: {
    readonly personality: string
    readonly runtime: string
    readonly intelligence?: string | undefined
  }
  /** Local time with its offset, to the second. */
  readonly sentAt?: string | undefined
  readonly topic?: string | undefined
  readonly messageId?: string | undefined
  readonly replyTo?: string | undefined
  readonly attempt?: number | undefined
  /** Absolute paths. */
  readonly attachments: ReadonlyArray<string>
  readonly body: string
}

const notice = "Message from a known peer. Reply with send_to_peer."

export const encodeEnvelope = (envelope: Envelope): string => {
  const { from, sentAt, topic, messageId, replyTo, attempt = 1, attachments, body } = envelope
  const attributes = [
    ["from-personality", from.personality],
    ["from-runtime", from.runtime],
    ["from-intelligence", from.intelligence],
    ["ts", sentAt],
    ["topic", topic],
    ["id", messageId],
    ["reply-to", replyTo],
    ["attempt", attempt < 2 ? undefined : String(attempt)]
  ] as const
  const written = attributes.flatMap(([name, value]) =>
    value === undefined ? [] : [` ${name}="${escape(value)}"`]
  )
  return [
    `<iap${written.join("")}>`,
    notice,
    ...(attachments.length === 0 ? [] : [`<attachments>${cdata(attachments.join("\n"))}</attachments>`]),
    `<message>${cdata(body)}</message>`,
    "</iap>"
  ].join("\n")
}

/** What would end the section is split over two. */
const cdata = (text: string): string => `<![CDATA[${text.replaceAll("]]>", "]]]]><![CDATA[>")}]]>`

const entities: { readonly [character: string]: string } = {
  "&": "&amp;",
  '"': "&quot;",
  "<": "&lt;",
  ">": "&gt;"
}
const characters: { readonly [entity: string]: string } = Object.fromEntries(
  Object.entries(entities).map(([character, entity]) => [entity, character])
)

const escape = (text: string): string => text.replace(/[&"<>]/g, (character) => entities[character] as string)

export const unescapeText = (text: string): string =>
  text.replace(/&(amp|quot|lt|gt);/g, (entity) => characters[entity] as string)
