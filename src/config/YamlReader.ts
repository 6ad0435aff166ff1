/**
 * Reads a YAML document by its nodes, so that everything wrong with it can be named with its place. It goes on after a fault: all are
 * found in one reading, each once.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
  visit
} from "yaml"
import { type ConfigProblem, inOrder } from "./ConfigProblem.js"
import { nearest, snakeCase } from "./nearest.js"

type Code = ConfigProblem["code"]

/** A value in the document, or the place where one is missing. */
export interface Place {
  /** `senses.disk.throttle`. */
  readonly path: string
  readonly node: Node | null
  /** The key's node where there is one: faults of a missing value are named there. */
  readonly at: Node | null
}

export interface ReaderOptions {
  /** The old file: camelCase means snake_case, and unknown keys are only warned of. */
  readonly isOld: boolean
}

/** contracts: senses and workflows 2.1 */
const maxAliases = 100

export class YamlReader {
  readonly #document: Document.Parsed
  readonly #lines = new LineCounter()
  readonly #errors: Array<ConfigProblem> = []
  readonly #warnings: Array<ConfigProblem> = []

  constructor(
    text: string,
    private readonly options: ReaderOptions
  ) {
    const parsing = {
      lineCounter: this.#lines,
      version: "1.2",
      prettyErrors: false,
      uniqueKeys: false
    } as const
    this.#document = parseDocument(text, parsing)
    for (const { message, pos } of this.#document.errors) {
      const { line, col } = this.#lines.linePos(pos[0])
      this.#errors.push({
        path: "",
        line,
        column: col,
        code: "not_yaml",
        message: message.split("\n")[0] ?? ""
      })
    }
    let aliases = 0
    visit(this.#document, {
      Alias: () => {
        aliases += 1
      }
    })
    if (aliases > maxAliases) this.error(this.root, "not_yaml", `it has more than ${maxAliases} aliases`)
  }

  get root(): Place {
    return { path: "", node: this.#resolved(this.#document.contents), at: null }
  }

  get errors(): ReadonlyArray<ConfigProblem> {
    return inOrder(this.#errors)
  }

  get warnings(): ReadonlyArray<ConfigProblem> {
    return inOrder(this.#warnings)
  }

  /** Nothing more can be read of a text that is no YAML. */
  get isYaml(): boolean {
    return !this.#errors.some(({ code }) => code === "not_yaml")
  }

  error(place: Place, code: Code, message: string, fix?: string): void {
    this.#errors.push(this.#problem(place, code, message, fix))
  }

  warn(place: Place, code: Code, message: string, fix?: string): void {
    this.#warnings.push(this.#problem(place, code, message, fix))
  }

  /** The entries of a mapping; empty, with an error, for anything else. Nothing at all is an empty mapping. */
  entries(place: Place): ReadonlyArray<readonly [key: string, value: Place]> {
    if (isMissing(place.node)) return []
    if (!isMap(place.node)) {
      this.error(place, "wrong_type", "must be a mapping")
      return []
    }
    const names = new Set<string>()
    return (place.node.items as Array<Pair<Node, Node | null>>).flatMap(({ key, value }) => {
      const name = isScalar(key) ? String(key.value) : "?"
      const entry = { path: join(place.path, name), node: this.#resolved(value), at: key }
      if (!names.has(name)) {
        names.add(name)
        return [[name, entry] as const]
      }
      this.error(entry, "duplicate_key", `${JSON.stringify(name)} is given twice`)
      return []
    })
  }

  /** The values of a mapping under the keys that it may have; any other key is a fault. */
  fields<Key extends string>(place: Place, keys: ReadonlyArray<Key>): { readonly [K in Key]?: Place } {
    const found: { [K in Key]?: Place } = {}
    const isKnown = (name: string): name is Key => (keys as ReadonlyArray<string>).includes(name)
    for (const [name, value] of this.entries(place)) {
      const modern = this.options.isOld ? snakeCase(name) : name
      if (isKnown(modern)) {
        if (modern !== name) this.warn(value, "old_spelling", `is written ${modern} today`, modern)
        if (found[modern]) this.error(value, "two_spellings", `${modern} is given twice, in two spellings`)
        found[modern] = { ...value, path: join(place.path, modern) }
      } else {
        this.unknownKey(value, name, keys)
      }
    }
    return found
  }

  unknownKey(place: Place, name: string, known: ReadonlyArray<string>): void {
    const meant = nearest(name, known)
    const message = `${JSON.stringify(name)} is no key here`
    const fix = meant === undefined ? `one of ${known.join(", ")}` : `did you mean ${meant}?`
    if (this.options.isOld) this.warn(place, "unknown_key", `${message}; it has no effect`, fix)
    else this.error(place, "unknown_key", message, fix)
  }

  items(place: Place): ReadonlyArray<Place> {
    if (isMissing(place.node)) return []
    if (!isSeq(place.node)) {
      this.error(place, "wrong_type", "must be a list")
      return []
    }
    return (place.node.items as Array<Node | null>).map((item, index) => ({
      path: `${place.path}[${index}]`,
      node: this.#resolved(item),
      at: item ?? place.at
    }))
  }

  /** Whether nothing is there, or a list without items. */
  isEmpty({ node }: Place): boolean {
    return isMissing(node) || (isSeq(node) && node.items.length === 0)
  }

  /** A scalar's value; undefined, which is never one, for a mapping or a list. */
  scalar({ node }: Place): string | number | boolean | null | undefined {
    if (node === null) return null
    return isScalar(node) ? ((node as Scalar).value as string | number | boolean | null) : undefined
  }

  #resolved(node: Node | null): Node | null {
    return isAlias(node) ? (node.resolve(this.#document) ?? null) : node
  }

  #problem({ path, node, at }: Place, code: Code, message: string, fix?: string): ConfigProblem {
    const offset = (at ?? node)?.range?.[0] ?? 0
    const { line, col } = this.#lines.linePos(offset)
    return { path, line: Math.max(1, line), column: Math.max(1, col), code, message, ...(fix && { fix }) }
  }
}

const isMissing = (node: Node | null): boolean => node === null || (isScalar(node) && node.value === null)

const join = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`)
