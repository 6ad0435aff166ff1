/**
 * Finds envelopes in what somebody writes, between prose that may look like one, as it comes in pieces (contracts: peers 2). Reads the
 * names of older and newer versions; where an envelope has both, the short one counts.
 */
import { type Envelope, unescapeText } from "./envelope.js"

const opening = "<iap "
const closing = "</iap>"
const cdataOpening = "<![CDATA["
const cdataClosing = "]]>"

/** An opening tag that is longer is none. */
const maxOpeningTag = 1_024
/** What does not end within so many characters was no envelope: a body and twenty paths are far shorter. */
const maxEnvelope = 256 * 1_024

/** An envelope that begins where it was looked for; or it is none; or that cannot be told yet. */
type Found =
  | { readonly _tag: "Envelope"; readonly envelope: Envelope; readonly end: number }
  | { readonly _tag: "None" }
  | { readonly _tag: "Unfinished" }

const none: Found = { _tag: "None" }
const unfinished: Found = { _tag: "Unfinished" }

export class EnvelopeReader {
  #pending = ""
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true })

  /** The envelopes that are whole with this piece. */
  read(piece: Uint8Array | string): ReadonlyArray<Envelope> {
    const text = typeof piece === "string" ? piece : this.#decoder.decode(piece, { stream: true })
    const pending = this.#pending + text
    const envelopes: Array<Envelope> = []
    let from = 0
    for (;;) {
      const start = pending.indexOf(opening, from)
      if (start < 0) {
        this.#pending = pending.slice(Math.max(from, pending.length - opening.length + 1))
        return envelopes
      }
      const found = envelopeAt(pending, start)
      if (found._tag === "Unfinished") {
        this.#pending = pending.slice(start)
        return envelopes
      }
      if (found._tag === "Envelope") envelopes.push(found.envelope)
      from = found._tag === "Envelope" ? found.end : start + opening.length
    }
  }
}

const envelopeAt = (text: string, start: number): Found => {
  const tagEnd = text.indexOf(">", start)
  const tag = text.slice(start + opening.length - 1, tagEnd < 0 ? undefined : tagEnd)
  // In a tag a `<` is escaped: one that is not begins something else.
  if (tag.length > maxOpeningTag || tag.includes("<")) return none
  if (tagEnd < 0) return unfinished
  const attribute = attributesOf(tag)
  const personality = attribute("from", "from-personality")
  const runtime = attribute("runtime", "from-runtime")
  if (personality === undefined || runtime === undefined) return none
  const content = contentOf(text, tagEnd + 1)
  if (content._tag !== "Content") return text.length - start > maxEnvelope ? none : content
  const { elements, end } = content
  const attempt = attribute("attempt")
  return {
    _tag: "Envelope",
    end,
    envelope: {
      from: { personality, runtime, intelligence: attribute("intelligence", "from-intelligence") },
      sentAt: attribute("ts"),
      topic: attribute("topic"),
      messageId: attribute("id"),
      replyTo: attribute("reply-to"),
      attempt: attempt === undefined ? undefined : Number(attempt),
      attachments: (elements.get("attachments") ?? "").split("\n").filter((path) => path !== ""),
      body: elements.get("msg") ?? elements.get("message") ?? ""
    }
  }
}

/** The value of the first of these names that the tag has. A name begins at a blank: `from-runtime` is no `runtime`. */
const attributesOf = (tag: string) => {
  const values = new Map(
    [...tag.matchAll(/\s([a-z-]+)="([^"]*)"/g)].map(([, name, value]) => [
      name,
      unescapeText(value as string)
    ])
  )
  return (...names: ReadonlyArray<string>): string | undefined =>
    names.map((name) => values.get(name)).find((value) => value !== undefined)
}

type Content =
  | { readonly _tag: "Content"; readonly elements: ReadonlyMap<string, string>; readonly end: number }
  | { readonly _tag: "None" }
  | { readonly _tag: "Unfinished" }

/** The elements of an envelope up to its closing tag. Inside of CDATA everything is text. */
const contentOf = (text: string, start: number): Content => {
  const elements = new Map<string, string>()
  let open: { readonly name: string; text: string; data: string | undefined } | undefined
  for (let at = start; ; ) {
    const next = text.indexOf("<", at)
    if (next < 0) return unfinished
    if (open) open.text += text.slice(at, next)
    const rest = text.slice(next, next + maxOpeningTag)
    if (rest.startsWith(cdataOpening)) {
      const end = text.indexOf(cdataClosing, next)
      if (end < 0) return unfinished
      if (open) open.data = (open.data ?? "") + text.slice(next + cdataOpening.length, end)
      at = end + cdataClosing.length
      continue
    }
    if (rest.startsWith(closing)) return { _tag: "Content", elements, end: next + closing.length }
    // Another one begins: what came before it was never ended.
    if (rest.startsWith(opening)) return none
    if (isBeginOf(rest, [cdataOpening, closing, opening])) return unfinished
    const tag = /^<(\/?)([a-z]+)>/.exec(rest)
    if (tag?.[1] === "" && !open) open = { name: tag[2] as string, text: "", data: undefined }
    else if (tag?.[1] === "/" && tag[2] === open?.name && open) {
      elements.set(open.name, open.data ?? unescapeText(open.text))
      open = undefined
    } else if (!tag && /^<\/?[a-z]*$/.test(rest)) return unfinished
    at = next + (tag ? tag[0].length : 1)
  }
}

/** All that is there of it so far may still become one of these. */
const isBeginOf = (rest: string, words: ReadonlyArray<string>): boolean =>
  words.some((word) => rest.length < word.length && word.startsWith(rest))
