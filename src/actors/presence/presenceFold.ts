/** The fold of presences, for their kind and for decisions that look one event ahead. */
import { type Fold, makeFold } from "../fold.js"
import { presenceMachine } from "./presenceMachine.js"

export const presenceFold: Fold = makeFold(presenceMachine)
