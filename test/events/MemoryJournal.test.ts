import { describe } from "@effect/vitest"
import { journalContract } from "../support/journalContract.js"
import { memoryJournal } from "../support/stores.js"

describe("MemoryJournal", () => journalContract(memoryJournal))
