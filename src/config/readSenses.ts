/** The sections `senses` and `reflexes`: what is computed, and when. A sense's triggers are the union of its own and its reflexes'. */
import { checkCycles, type Listening } from "./listening.js"
import { checkName, durationMs, limits, nameValue } from "./values.js"
import type { SenseConfig } from "./WorkspaceConfig.js"
import type { Place, YamlReader } from "./YamlReader.js"

const defaultTimeoutMs = 30_000
const maxSenses = 500
const maxReflexes = 2_000
const senseKeys = ["group", "throttle", "timeout", "grace_period", "interval", "on"] as const

/** One reason to compute a sense, and where it is written. */
interface Trigger {
  readonly sense: string
  readonly intervalMs?: number
  readonly interval?: Place
  readonly on: ReadonlyArray<{ readonly sense: string; readonly place: Place }>
}

export const readSenses = (
  reader: YamlReader,
  senses: Place | undefined,
  reflexes: Place | undefined
): { readonly senses: ReadonlyArray<SenseConfig>; readonly reflexes: number } => {
  const triggers: Array<Trigger> = []
  const found: Array<SenseConfig> = []
  const entries = senses ? reader.entries(senses) : []
  if (senses && entries.length > maxSenses)
    reader.error(senses, "out_of_range", `has over ${maxSenses} senses`)
  for (const [name, place] of entries) {
    if (!checkName(reader, place, name)) continue
    const { sense, trigger } = readSense(reader, name, place)
    found.push(sense)
    triggers.push(trigger)
  }
  if (reflexes) triggers.push(...readReflexes(reader, reflexes, new Set(found.map(({ name }) => name))))
  const reflexCount = triggers.filter(
    ({ intervalMs, on }) => intervalMs !== undefined || on.length > 0
  ).length
  return { senses: withTriggers(reader, found, triggers), reflexes: reflexCount }
}

const readSense = (reader: YamlReader, name: string, place: Place) => {
  const { group, throttle, timeout, grace_period, interval, on } = reader.fields(place, senseKeys)
  const sense: SenseConfig = {
    name,
    group: (group && nameValue(reader, group)) ?? "default",
    throttleMs: (throttle && durationMs(reader, throttle, limits.hour)) ?? 0,
    timeoutMs: (timeout && durationMs(reader, timeout, limits.hour)) ?? defaultTimeoutMs,
    graceMs: (grace_period && durationMs(reader, grace_period, limits.hour)) ?? 0,
    intervalsMs: [],
    on: []
  }
  return { sense, trigger: readTrigger(reader, name, interval, on) }
}

const readTrigger = (
  reader: YamlReader,
  sense: string,
  interval: Place | undefined,
  on: Place | undefined
): Trigger => {
  const intervalMs = interval && durationMs(reader, interval)
  const heard = on ? reader.items(on) : []
  return {
    sense,
    ...(interval && intervalMs !== undefined && { interval, intervalMs }),
    on: heard.flatMap((place) => {
      const name = nameValue(reader, place)
      return name === undefined ? [] : [{ sense: name, place }]
    })
  }
}

const readReflexes = (
  reader: YamlReader,
  section: Place,
  senses: ReadonlySet<string>
): ReadonlyArray<Trigger> => {
  const items = reader.items(section)
  if (items.length > maxReflexes) reader.error(section, "out_of_range", `has over ${maxReflexes} reflexes`)
  return items.flatMap((place) => readReflex(reader, place, senses))
}

const startsWorkflow =
  'let the sense\'s compute answer {workflow: "name|rounds|prompt"}, or start it by hand: mound workflow trigger'

const readReflex = (
  reader: YamlReader,
  place: Place,
  senses: ReadonlySet<string>
): ReadonlyArray<Trigger> => {
  const { kind, sense, interval, on, workflow } = reader.fields(place, [
    "kind",
    "sense",
    "interval",
    "on",
    "workflow"
  ])
  const kindWord = kind && reader.scalar(kind)
  if (workflow || kindWord === "workflow") {
    reader.error(
      workflow ?? (kind as Place),
      "reflex_starts_workflow",
      "a reflex starts no workflow",
      startsWorkflow
    )
    return []
  }
  if (kind && kindWord !== "sense") reader.error(kind, "wrong_type", "must be sense, or left out")
  if (!sense) {
    reader.error({ ...place, path: `${place.path}.sense` }, "missing", "the sense that it is for")
    return []
  }
  const name = nameValue(reader, sense)
  if (name === undefined) return []
  if (!senses.has(name)) {
    reader.error(sense, "unknown_sense", `there is no sense ${name}`)
    return []
  }
  if (!interval && (!on || reader.isEmpty(on))) {
    reader.error(place, "no_trigger", "it has neither an interval nor senses to listen to (on)")
  }
  return [readTrigger(reader, name, interval, on)]
}

/** The senses with all their triggers, each checked against the others. */
const withTriggers = (
  reader: YamlReader,
  senses: ReadonlyArray<SenseConfig>,
  triggers: ReadonlyArray<Trigger>
): ReadonlyArray<SenseConfig> => {
  const names = new Set(senses.map(({ name }) => name))
  const listenings: Array<Listening> = []
  for (const { sense, on } of triggers) {
    for (const { sense: heard, place } of on) {
      if (heard === sense) reader.error(place, "self_listen", `${sense} listens to itself`)
      else if (names.has(heard)) listenings.push({ listener: sense, heard, place })
      else reader.error(place, "unknown_sense", `there is no sense ${heard}`)
    }
  }
  checkCycles(reader, listenings)
  return senses.map((sense) => {
    const own = triggers.filter((trigger) => trigger.sense === sense.name)
    for (const { interval, intervalMs = sense.throttleMs } of own) {
      if (interval && intervalMs < sense.throttleMs) {
        reader.warn(
          interval,
          "interval_below_throttle",
          "ticks come faster than the throttle lets computes start"
        )
      }
    }
    const intervals = own.flatMap(({ intervalMs }) => intervalMs ?? [])
    const heard = listenings.filter(({ listener }) => listener === sense.name).map((each) => each.heard)
    return {
      ...sense,
      intervalsMs: [...new Set(intervals)].sort((a, b) => a - b),
      on: [...new Set(heard)].sort()
    }
  })
}
