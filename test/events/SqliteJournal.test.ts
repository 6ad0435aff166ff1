import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import Database from "better-sqlite3"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { ioTurn } from "../../src/events/ioTurn.js"
import { forEachPage, Journal } from "../../src/events/Journal.js"
import { SqliteStore } from "../../src/events/SqliteStore.js"
import { journalContract } from "../support/journalContract.js"
import { happened, offset, sqliteJournal, sqliteJournalAt, temporaryFolder } from "../support/stores.js"

describe("SqliteJournal", () => {
  journalContract(sqliteJournal)

  const inFile = <E>(name: string, body: (path: string) => Effect.Effect<void, E>) =>
    it.live(name, () =>
      Effect.scoped(Effect.flatMap(temporaryFolder, (folder) => body(join(folder, "mound.db"))))
    )

  inFile("is durable: WAL with fsync at every commit, on every opening", (path) =>
    Effect.gen(function* () {
      for (const _ of [1, 2]) {
        const settings = yield* Effect.flatMap(SqliteStore, (store) =>
          store.transaction((connection) =>
            Effect.all([
              connection.execute("PRAGMA synchronous", [], undefined),
              connection.execute("PRAGMA journal_mode", [], undefined)
            ])
          )
        ).pipe(Effect.provide(sqliteJournalAt(path)))
        expect(settings).toEqual([[{ synchronous: 2 }], [{ journal_mode: "wal" }]])
      }
    })
  )

  inFile("is the same journal when it is opened again", (path) =>
    Effect.gen(function* () {
      const opened = <A, E>(body: Effect.Effect<A, E, Journal>) => Effect.provide(body, sqliteJournalAt(path))
      const first = yield* opened(
        Effect.tap(Journal, (journal) => journal.append({ events: [happened("a/1", 1), happened("a/1", 2)] }))
      )
      const again = yield* opened(
        Effect.gen(function* () {
          const journal = yield* Journal
          yield* journal.append({ events: [happened("a/1", 3)] })
          return {
            id: journal.journalId,
            head: yield* journal.head,
            events: yield* journal.read(offset(0), 9)
          }
        })
      )
      expect(again.id).toBe(first.journalId)
      expect(again.head.offset).toBe(3)
      expect(again.events.map((event) => event.version)).toEqual([1, 2, 3])
    })
  )

  inFile("lets others have their turn while somebody reads a long past, page after page", (path) =>
    Effect.gen(function* () {
      const pages = 12
      const events = Array.from({ length: pages * 256 }, (_, index) => happened("a/1", index + 1))
      yield* Effect.flatMap(Journal, (journal) => journal.append({ events })).pipe(
        Effect.provide(sqliteJournalAt(path))
      )
      const turns = yield* Effect.gen(function* () {
        const journal = yield* Journal
        let taken = 0
        const others = yield* Effect.fork(Effect.forever(Effect.map(ioTurn, () => taken++)))
        const isRead = yield* Deferred.make<void>()
        const reading = yield* Effect.fork(
          forEachPage(journal, offset(0), (page) =>
            page.at(-1)?.offset === events.length ? Deferred.succeed(isRead, undefined) : Effect.void
          )
        )
        yield* Deferred.await(isRead)
        yield* Fiber.interruptAll([others, reading])
        return taken
      }).pipe(Effect.provide(sqliteJournalAt(path)))
      expect(turns).toBeGreaterThanOrEqual(pages - 1)
    })
  )

  inFile("refuses writes on a full disk, goes on reading, and recovers when space returns", (path) =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const store = yield* SqliteStore
      yield* journal.append({ events: [happened("a/1", 1)] })
      const limit = (pages: number) =>
        store.transaction((connection) =>
          connection.execute(`PRAGMA max_page_count = ${pages}`, [], undefined)
        )
      const [{ max_page_count: full } = {}] = (yield* limit(1)) as ReadonlyArray<{ max_page_count?: number }>
      expect(full).toBeGreaterThan(1)
      const large = { data: { text: "x".repeat(1_000_000) } }
      const refused = yield* Effect.exit(journal.append({ events: [happened("a/1", 2, large)] }))
      expect(Exit.isFailure(refused) && String(refused.cause)).toContain("enospc")
      expect(yield* journal.read(offset(0), 10)).toHaveLength(1)
      expect((yield* journal.head).offset).toBe(1)
      // The connection was opened anew, which lifts the limit: the disk has space again.
      const [recorded] = yield* journal.append({ events: [happened("a/1", 2, large)] })
      expect(recorded?.offset).toBe(2)
    }).pipe(Effect.provide(sqliteJournalAt(path)))
  )

  inFile(
    "knows after a failed commit whether the batch is there, and gives its followers what they missed",
    (path) =>
      Effect.gen(function* () {
        const journal = yield* Journal
        yield* journal.append({ events: [happened("a/1", 1)] })
        // Another connection commits what this one does not know of, as a commit does whose success was never reported.
        const other = new Database(path)
        const [first] = yield* journal.read(offset(0), 1)
        other.exec(
          `INSERT INTO events SELECT 2, stream, 2, type, schema, at, state, "by", 'late', causation, correlation, data, hash FROM events`
        )
        other.close()
        const failed = yield* Effect.exit(journal.append({ events: [happened("a/2", 1)] }))
        expect(Exit.isFailure(failed)).toBe(true)
        expect((yield* journal.byCommands(["late"])).map((event) => event.offset)).toEqual([2])
        yield* journal.awaitBeyond(offset(1))
        expect((yield* journal.read(offset(1), 10)).map((event) => event.commandId)).toEqual(["late"])
        expect(first?.offset).toBe(1)
      }).pipe(Effect.provide(sqliteJournalAt(path)))
  )

  inFile(
    "writes nothing to a store that it only opens: a full disk must not keep it from being read",
    (path) =>
      Effect.gen(function* () {
        const opened = Effect.provide(Journal, sqliteJournalAt(path))
        yield* Effect.flatMap(Journal, (journal) => journal.append({ events: [happened("a/1", 1)] })).pipe(
          Effect.provide(sqliteJournalAt(path))
        )
        const before = readFileSync(path)
        yield* opened
        expect(readFileSync(path).equals(before)).toBe(true)
      })
  )

  inFile("says where and why when a store cannot be opened", (path) =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(
        Effect.provide(Journal, sqliteJournalAt(join(path, "no", "such", "folder", "mound.db")))
      )
      expect(String(exit)).toContain("no/such/folder")
    })
  )
})
