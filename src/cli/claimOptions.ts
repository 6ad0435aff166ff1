/** Arguments and answers that the verbs about claims share. */
import { Args, Options } from "@effect/cli"
import { Schema } from "effect"
import { Offset } from "../events/Event.js"
import { optionalText } from "./common.js"

/** The hub's own rules for an id are stricter; these could not even be asked for in a path. */
const Id = Schema.String.pipe(
  Schema.filter((id) => !["", ".", ".."].includes(id) || `"${id}" cannot be the id of a claim`)
)
export const id = Args.text({ name: "ID" }).pipe(Args.withSchema(Id))

/** An id as a segment of a path: the client puts it there as it is. */
export const pathTo = ({ id }: { readonly id: string }) => ({ id: encodeURIComponent(id) })

export const token = Options.integer("token").pipe(
  Options.withSchema(Offset),
  Options.withDescription("the fencing token of your grant")
)
export const reason = optionalText("reason", "why, for the journal")
export const requiredReason = Options.text("reason").pipe(Options.withDescription("why, for the journal"))

export const stateOf = ({ state }: { readonly state: string }): string => state
export const tokenOf = ({ token }: { readonly token: number }): string => String(token)
