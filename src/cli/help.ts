/** Help as a person reads it: how to call a verb by its whole name, then one line for each verb, argument and option. */
import { type BuiltInOptions, CliConfig, CommandDescriptor, HelpDoc, Usage } from "@effect/cli"
import type * as Span from "@effect/cli/HelpDoc/Span"
import { columns } from "./output.js"

/** A verb, or a group of them, by the words that lead to it from the binary. */
export interface Verb {
  readonly path: ReadonlyArray<string>
  readonly description: string
}

const config = CliConfig.make({ showBuiltIns: false })

/** Every verb and group under a command, in its order. */
export const verbsOf = (command: CommandDescriptor.Command<unknown>): ReadonlyArray<Verb> =>
  (sectionsOf(CommandDescriptor.getHelp(command, config)).get("COMMANDS") ?? []).map(({ doc }) =>
    toVerb(textOf(doc))
  )

/** The library lists a verb as `claim take --as text ... <ID>   claim a mark by name`; below that it repeats the group's name. */
const toVerb = (line: string): Verb => {
  const [words = ""] = /^[a-z][\w-]*( [a-z][\w-]*)*/.exec(line) ?? []
  const path = words.split(" ")
  const isRepeated = path.length > 2 && path[0] === path[1]
  return { path: isRepeated ? path.slice(1) : path, description: /.* {2}(.*)$/.exec(line)?.[1] ?? "" }
}

/** `name` is the whole call, such as `mound claim take`; `verbs` are those of a group. */
export const helpText = (
  name: string,
  { usage, helpDoc }: BuiltInOptions.ShowHelp,
  verbs: ReadonlyArray<Verb>
): string => {
  const sections = sectionsOf(helpDoc)
  const described = [...(sections.get("ARGUMENTS") ?? []), ...(sections.get("OPTIONS") ?? [])]
  return [
    `${name}: ${textOf(sections.get("DESCRIPTION")?.[0]?.doc)}`,
    "",
    `usage: ${name} ${verbs.length > 0 ? "VERB ..." : argumentsOf(usage)}`.trimEnd(),
    ...listed(verbs.map(({ path, description }) => [path.at(-1) ?? "", description])),
    ...listed(described.map(({ term, doc }) => [term.replace(" 1+", ""), explanation(doc)])),
    ...(verbs.length > 0 ? ["", `more: ${name} VERB --help`] : [])
  ].join("\n")
}

/** The names of a command's options, with their dashes. */
export const optionsOf = ({ helpDoc }: BuiltInOptions.ShowHelp): ReadonlySet<string> =>
  new Set(
    (sectionsOf(helpDoc).get("OPTIONS") ?? []).flatMap(({ term }) => term.match(/--?[a-z][\w-]*/g) ?? [])
  )

/** What must be given, arguments first; the options that may be left out are in the list below it. */
const argumentsOf = (usage: Usage.Usage): string => {
  const [line] = Usage.enumerate(usage, config)
  const words = line ? plain(line).replace(/^\S+ ?/, "") : ""
  const needed = words.replaceAll(/\[\(?--?[^\]]*\]|--[\w-]+ \w+\.\.\./g, "")
  const positional = needed.match(/\[?<[^>]*>(\.\.\.)?\]?/g) ?? []
  const options = needed.match(/--[\w-]+ \w+/g) ?? []
  return [...positional, ...options, ...(needed === words ? [] : ["[OPTIONS]"])].join(" ")
}

const listed = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> =>
  rows.length === 0 ? [] : ["", columns(rows.map(([term = "", ...rest]) => [`  ${term}`, ...rest]))]

/** A paragraph under a heading, or what a term means. */
interface Entry {
  readonly term: string
  readonly doc: HelpDoc.HelpDoc
}

const sectionsOf = (doc: HelpDoc.HelpDoc): ReadonlyMap<string, ReadonlyArray<Entry>> => {
  const sections = new Map<string, Array<Entry>>()
  let entries: Array<Entry> = []
  for (const block of blocksOf(doc)) {
    if (HelpDoc.isHeader(block)) {
      entries = []
      sections.set(plain(block.value), entries)
    } else if (HelpDoc.isDescriptionList(block)) {
      for (const [term, meaning] of block.definitions) entries.push({ term: plain(term), doc: meaning })
    } else if (HelpDoc.isEnumeration(block)) {
      for (const element of block.elements) entries.push({ term: "", doc: element })
    } else entries.push({ term: "", doc: block })
  }
  return sections
}

const blocksOf = (doc: HelpDoc.HelpDoc): ReadonlyArray<HelpDoc.HelpDoc> =>
  HelpDoc.isSequence(doc)
    ? [...blocksOf(doc.left), ...blocksOf(doc.right)]
    : HelpDoc.isEmpty(doc)
      ? []
      : [doc]

/** What the library says of every term, which says nothing here. */
const boilerplate =
  /^(A user-defined piece of text|A true or false value|An integer|A floating point number|A directory|A file|An existing file|This setting is optional|This argument must be repeated at least 1 times)\.$/

const explanation = (doc: HelpDoc.HelpDoc): string =>
  blocksOf(doc)
    .map(textOf)
    .filter((text) => !boilerplate.test(text))
    .map((text) => text.replace(/^This option may be repeated zero or more times\.$/, "(may be repeated)"))
    .join(" ")

/** A document as one line of text. */
export const textOf = (doc: HelpDoc.HelpDoc | undefined): string =>
  (doc ? blocksOf(doc) : [])
    .map((block) => (HelpDoc.isParagraph(block) || HelpDoc.isHeader(block) ? plain(block.value) : ""))
    .join(" ")
    .trim()

const plain = (span: Span.Span): string => {
  switch (span._tag) {
    case "Sequence":
      return plain(span.left) + plain(span.right)
    case "Text":
    case "URI":
      return span.value
    case "Highlight":
    case "Strong":
    case "Weak":
      return plain(span.value)
  }
}
