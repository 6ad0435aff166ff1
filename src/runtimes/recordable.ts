/** What user code answered, as it can be recorded: checked, bounded, and put aside where it is too large for an event. */
import { Effect } from "effect"
import type { Output } from "../actors/run/RunCommand.js"
import type { BlobRef } from "../actors/run/RunEvent.js"
import type { Blobs, BlobUnavailable } from "../events/Blobs.js"
import { jsonValue } from "./jsonValue.js"

/** contracts: senses and workflows 2.3 */
const maxContentBytes = 1_048_576
const maxMetaBytes = 262_144
const maxInlineBytes = 16_384
const previewChars = 200

/** A role's answer, or what is wrong with it. */
export const checkAnswer = (
  answer: unknown
):
  | { readonly content: string; readonly meta: { readonly [name: string]: unknown } }
  | { readonly problem: string } => {
  if (typeof answer !== "object" || answer === null) {
    return {
      problem: `a role must answer { content, meta? }, not ${answer === null ? "null" : typeof answer}`
    }
  }
  const { content, meta } = answer as { readonly content?: unknown; readonly meta?: unknown }
  if (typeof content !== "string") return { problem: `content must be a text, not ${typeof content}` }
  const bytes = Buffer.byteLength(content)
  if (bytes > maxContentBytes)
    return { problem: `content has ${bytes} bytes, the limit is ${maxContentBytes}` }
  const checked = jsonValue(meta ?? {}, maxMetaBytes)
  if ("problem" in checked) return { problem: `meta: ${checked.problem}` }
  const { value } = checked
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { problem: "meta must be an object" }
  return { content, meta: value as { readonly [name: string]: unknown } }
}

/** Content and meta as an event holds them. A blob is durable before its name is given away. */
export const toOutput = (
  blobs: Blobs,
  content: string,
  meta: { readonly [name: string]: unknown }
): Effect.Effect<Output, BlobUnavailable> =>
  Effect.gen(function* () {
    const text = JSON.stringify(meta)
    return {
      content: Buffer.byteLength(content) > maxInlineBytes ? yield* toBlob(blobs, content) : content,
      meta: Buffer.byteLength(text) > maxInlineBytes ? yield* toBlob(blobs, text) : meta
    }
  })

const toBlob = (blobs: Blobs, text: string): Effect.Effect<BlobRef, BlobUnavailable> =>
  Effect.map(blobs.write(text), ({ sha256, bytes }) => ({
    blob: sha256,
    bytes,
    chars: text.length,
    preview: text.slice(0, previewChars)
  }))
