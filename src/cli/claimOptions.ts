/** Arguments and answers that the verbs about claims share. */
import { Args, Options } from "@effect/cli"
import { Offset } from "../events/Event.js"
import { optionalText } from "./common.js"

export const id = Args.text({ name: "ID" })
export const token = Options.integer("token").pipe(
  Options.withSchema(Offset),
  Options.withDescription("the fencing token of your grant")
)
export const reason = optionalText("reason", "why, for the journal")
export const requiredReason = Options.text("reason").pipe(Options.withDescription("why, for the journal"))

export const stateOf = ({ state }: { readonly state: string }): string => state
export const tokenOf = ({ token }: { readonly token: number }): string => String(token)
