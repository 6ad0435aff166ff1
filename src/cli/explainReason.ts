/** A refusal that a verb meets without a hub, told as the hub would tell it. */
import { toFailure } from "../http/refusals.js"
import type { CallFailure } from "../http/serve.js"
import { CliFailure } from "./CliFailure.js"

export const explainReason = <E extends { readonly _tag: string }>(
  error: E | CallFailure
): Exclude<E, CallFailure> | CliFailure => {
  if (error._tag !== "Refused") return error as Exclude<E, CallFailure>
  const { _tag, message, fix, ...fields } = toFailure(
    (error as Extract<CallFailure, { _tag: "Refused" }>).reason
  )
  return new CliFailure({ tag: _tag, message, fix, fields, exitCode: 1 })
}
